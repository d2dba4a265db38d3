import { readFile, writeFile } from "node:fs/promises";
import { type CheckReport, parseChecks, renderText, runChecks } from "@safe-deploy/smoke";
import { parseFacts, serviceUnderTest } from "../domain/facts.ts";
import { CtlError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import type { Outcome } from "../output.ts";
import { failedChecks } from "../verify/check-verdicts.ts";
import { checkVersionUnderTest, verifyRelease } from "../verify/verify-release.ts";

export interface VerifyOptions {
  facts: string;
  checks: string;
  checksOnly: boolean;
}

/** What the chart's hooks run, inside the cluster. */
export async function runVerify(options: VerifyOptions, signal: AbortSignal): Promise<Outcome> {
  const { why, ...outcome } = await verify(options, signal);
  if (why !== undefined) await leaveLastWords(why);
  return outcome;
}

/** Where the kubelet takes a container's last words from, for the status of its pod; it reads no more than these bytes. */
const lastWords = { file: "/dev/termination-log", bytes: 4096 };

/** Outlives the log, and needs no right to read logs. Outside of a pod there is no such file. */
async function leaveLastWords(why: string): Promise<void> {
  const text = Buffer.from(why).subarray(0, lastWords.bytes);
  await writeFile(lastWords.file, text, { flag: "r+" }).catch(() => undefined);
}

/** `why`: what is wrong, if anything is. */
type Verified = Outcome & { why?: string };

async function verify(options: VerifyOptions, signal: AbortSignal): Promise<Verified> {
  const facts = await readInput(options.facts, parseFacts);
  const checks = await readInput(options.checks, parseChecks);
  if (options.checksOnly && serviceUnderTest(facts) === undefined) {
    return checksOutcome(await runChecks(checks, { baseUrl: facts.baseUrl, signal }));
  }

  const { Kube } = await import("@safe-deploy/kube");
  const kube = await Kube.connect({ namespace: facts.namespace, fieldManager: "ctl-verify" });
  const o = { signal, say: (line: string) => process.stderr.write(`${line}\n`) };
  if (options.checksOnly) return checksOutcome(await checkVersionUnderTest(kube, facts, checks, o));

  const outcome = await verifyRelease(kube, facts, checks, o);
  if (outcome.verdict === "fail") {
    return {
      exit: ExitCode.notRestored,
      why: outcome.why,
      text: `✗ ${facts.release} revision ${facts.revision} is not good: ${outcome.why}\n`,
      json: { schemaVersion: 1, kind: "verify", ...outcome },
    };
  }
  const collected = outcome.collected.length > 0 ? `; collected config ${outcome.collected.join(", ")}` : "";
  return {
    exit: ExitCode.ok,
    text: `${renderText(outcome.checks)}✓ ${facts.release} revision ${facts.revision} is verified (ledger entry ${outcome.entry.number}${collected})\n`,
    json: { schemaVersion: 1, kind: "verify", ...outcome },
  };
}

function checksOutcome(report: CheckReport): Verified {
  const hasPassed = report.outcome === "passed";
  return {
    exit: hasPassed ? ExitCode.ok : ExitCode.notRestored,
    ...(hasPassed ? {} : { why: failedChecks(report) }),
    text: renderText(report),
    json: { kind: "checks", ...report },
  };
}

async function readInput<T>(file: string, parse: (text: string) => T): Promise<T> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    throw new CtlError("CTL_E_USAGE", `${file} cannot be read: ${(error as Error).message}`, {
      next: "the chart's verify hook mounts both files",
      cause: error,
    });
  }
  try {
    return parse(text);
  } catch (error) {
    throw new CtlError("CTL_E_USAGE", `${file}: ${(error as Error).message}`, { cause: error });
  }
}
