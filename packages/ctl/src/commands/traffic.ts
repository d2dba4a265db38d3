import { hashLabel } from "@safe-deploy/kube";
import http from "node:http";
import https from "node:https";
import { observeRollout } from "../act/control-rollout.ts";
import type { GlobalOptions } from "../command-line.ts";
import { parseImageReference } from "../domain/image-reference.ts";
import { type Answer, judgeSplit, noVersion, type SplitJudgement } from "../domain/traffic-split.ts";
import { isSwitched } from "../domain/rollout-commands.ts";
import { CtlError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import { observeRelease, readWorkload, requireRelease } from "../observe/release-state.ts";
import type { Outcome } from "../output.ts";
import { connect, timeoutSeconds } from "../run-command.ts";

export interface TrafficOptions extends GlobalOptions {
  requests: string;
  header?: string;
  host?: string;
  path: string;
}

const concurrency = 10;
const requestTimeoutMs = 10_000;

/** Sends requests to the router, counts the answers by version, and compares them with the rollout's weight. */
export async function runTraffic(
  url: string | undefined,
  options: TrafficOptions,
  signal: AbortSignal,
): Promise<Outcome> {
  const requests = parseRequests(options.requests);
  const header = parseHeader(options.header);
  const target = parseTarget(url, options.path);
  const { kube, release, address } = await connect(options, signal);
  const { facts } = requireRelease(await observeRelease(kube, release));
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(timeoutSeconds(options) * 1000)]);

  const { state } = await observeRollout(kube, facts, address);
  const workload = await readWorkload(kube, facts);
  const versionOf = (hash: string | undefined) => {
    const set = workload.replicaSets.find(
      ({ metadata }) => hash !== undefined && metadata.labels?.[hashLabel] === hash,
    );
    const image = set?.spec.template?.spec.containers.find(({ name }) => name === facts.container)?.image;
    return image === undefined ? undefined : parseImageReference(image)?.tag;
  };
  const [fresh, stable] = [versionOf(state.currentHash), versionOf(state.stableHash)];
  const canary = state.isPromoted || fresh === stable ? undefined : fresh;
  // Blue-green sends everything to one side.
  const weight = state.weight?.actual ?? (isSwitched(state) ? 100 : 0);

  const host: Record<string, string> = options.host === undefined ? {} : { host: options.host };
  const plain = judgeSplit(await send(target, requests, host, deadline), canary, weight);
  const routed =
    header === undefined
      ? undefined
      : judgeSplit(await send(target, requests, { ...host, ...header }, deadline), canary, 100);
  const after = (await observeRollout(kube, facts, address)).state.weight?.actual ?? weight;
  return describe(plain, routed, { canary, stable: stable ?? fresh, weight, after, address });
}

async function send(
  target: URL,
  requests: number,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<Answer[]> {
  const answers: Answer[] = [];
  let left = requests;
  const sender = async () => {
    while (left > 0) {
      left--;
      signal.throwIfAborted();
      answers.push(await ask(target, headers, signal));
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, requests) }, sender));
  return answers;
}

/** Not with fetch, which sends its own Host header. */
function ask(target: URL, headers: Record<string, string>, signal: AbortSignal): Promise<Answer> {
  const { request } = target.protocol === "https:" ? https : http;
  return new Promise((resolve, reject) => {
    const sent = request(target, { headers, signal, timeout: requestTimeoutMs, agent: false }, (response) => {
      const version = response.headers["x-app-version"];
      const answer = { version: typeof version === "string" ? version : noVersion, status: response.statusCode };
      response
        .resume()
        .once("end", () => resolve(answer))
        .once("error", () => resolve({ ...answer, status: undefined }));
    });
    sent.once("timeout", () => sent.destroy(new Error("no answer")));
    sent.once("error", () =>
      signal.aborted ? reject(signal.reason as Error) : resolve({ version: noVersion, status: undefined }),
    );
    sent.end();
  });
}

function describe(
  plain: SplitJudgement,
  routed: SplitJudgement | undefined,
  o: { canary: string | undefined; stable: string | undefined; weight: number; after: number; address: string },
): Outcome {
  const judged = [plain, ...(routed === undefined ? [] : [routed])];
  const hasMoved = o.after !== o.weight;
  const isWrong = judged.some(({ isAsExpected }) => isAsExpected === false);
  const isUnknown = o.canary !== undefined && judged.some(({ isAsExpected }) => isAsExpected === undefined);
  const lines = [
    ...splitLines("without the header", plain, o),
    ...(routed === undefined ? [] : splitLines("with the header", routed, o)),
    ...(hasMoved ? [`  the weight changed from ${o.weight} % to ${o.after} % meanwhile: ask again`] : []),
  ];
  const exit = hasMoved || isUnknown ? ExitCode.inconclusive : isWrong ? ExitCode.notRestored : ExitCode.ok;
  return {
    exit,
    text: `${lines.join("\n")}\n`,
    json: {
      schemaVersion: 1,
      kind: "traffic",
      ...(exit === ExitCode.notRestored ? { code: "CTL_E_SPLIT" } : {}),
      canary: o.canary ?? null,
      stable: o.stable ?? null,
      weight: o.weight,
      plain,
      withHeader: routed ?? null,
    },
  };
}

function splitLines(
  title: string,
  split: SplitJudgement,
  o: { canary: string | undefined; stable: string | undefined },
): string[] {
  const mark = split.isAsExpected === false ? "✗" : split.isAsExpected === true || o.canary === undefined ? "✓" : "?";
  const why = o.canary === undefined ? "there is no canary" : split.why;
  return [
    `${mark} ${title}: ${why}`,
    ...split.counts.map(({ version, answers, errors }) => {
      const role = version === o.canary ? "canary" : version === o.stable ? "stable" : "other";
      return `    ${role.padEnd(6)}  ${version}  ${answers} ${answers === 1 ? "answer" : "answers"}${errors > 0 ? `, ${errors} of them errors` : ""}`;
    }),
  ];
}

function parseRequests(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new CtlError("CTL_E_USAGE", `--requests ${text} is not a number of requests from 1 to 999999`);
}

function parseHeader(text: string | undefined): Record<string, string> | undefined {
  if (text === undefined) return undefined;
  const match = /^([!#$%&'*+.^_`|~\w-]+)[:=]\s*(.*)$/.exec(text);
  if (match === null) {
    throw new CtlError("CTL_E_USAGE", `--header "${text}" is not a header`, { next: 'write it as "x-canary: true"' });
  }
  return { [match[1] ?? ""]: match[2] ?? "" };
}

function parseTarget(url: string | undefined, path: string): URL {
  const text = url ?? process.env["CTL_URL"];
  if (text === undefined) {
    throw new CtlError("CTL_E_USAGE", "the router's address is not known", {
      next: "ctl traffic http://<router>, or set CTL_URL",
    });
  }
  if (!URL.canParse(text) || !/^https?:/.test(text)) {
    throw new CtlError("CTL_E_USAGE", `"${text}" is not an http address`, { next: "write it as http://host:port" });
  }
  const target = new URL(text);
  return target.pathname === "/" ? new URL(path, target) : target;
}
