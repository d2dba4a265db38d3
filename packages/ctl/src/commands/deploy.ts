import { existsSync } from "node:fs";
import type { Rollout, RolloutAnalysis } from "@safe-deploy/kube";
import { deploy, prepareDeploy } from "../act/deploy.ts";
import { type GlobalOptions, parseDuration } from "../command-line.ts";
import { stepWords } from "../domain/rollout.ts";
import { parseImageReference } from "../domain/image-reference.ts";
import { CtlError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import type { Outcome } from "../output.ts";
import type { Finding } from "../preflight/finding.ts";
import { operate, timeoutSeconds } from "../run-command.ts";
import { type ReportOptions, withReport } from "./with-report.ts";

export interface DeployOptions extends GlobalOptions, ReportOptions {
  chart: string;
  values: string[];
  set: string[];
  setString: string[];
  image?: string;
  reuseValues: boolean;
  skipPreflight: boolean;
  rollback: boolean;
  createNamespace: boolean;
  /** Preflight does not know it. */
  pauseFirst?: boolean;
  dryRun: boolean;
  /** A duration; preflight has none. */
  bake?: string;
}

export async function runDeploy(options: DeployOptions, signal: AbortSignal): Promise<Outcome> {
  const intent = intentOf(options);
  return await operate(options, `deploy ${options.release}`, signal, async (context) => {
    if (options.dryRun) {
      const prepared = await prepareDeploy(context, { ...intent, skipPreflight: false });
      const plan = planLines(prepared, intent.rollback);
      const { facts, findings } = prepared;
      return {
        exit: findings.some(({ status }) => status === "refused") ? ExitCode.refused : ExitCode.ok,
        text: `${plan.join("\n")}\n\n${renderFindings(findings)}`,
        json: { schemaVersion: 1, kind: "plan", image: facts.image, plan, findings },
      };
    }
    return await withReport(context, options, "deploy", () => deploy(context, intent));
  });
}

export async function runPreflight(options: DeployOptions, signal: AbortSignal): Promise<Outcome> {
  const intent = intentOf({ ...options, skipPreflight: false, rollback: true });
  return await operate(options, `preflight ${options.release}`, signal, async (context) => {
    const { findings } = await prepareDeploy(context, intent);
    return {
      exit: findings.some(({ status }) => status === "refused") ? ExitCode.refused : ExitCode.ok,
      text: renderFindings(findings),
      json: { schemaVersion: 1, kind: "preflight", findings },
    };
  });
}

function planLines(prepared: Awaited<ReturnType<typeof prepareDeploy>>, takesBack: boolean): string[] {
  const { facts, objects, backTo } = prepared;
  const back =
    backTo === "remove"
      ? "the release is removed, because nothing was there before"
      : backTo === undefined
        ? "it is left as it is, because nothing verified is there to go back to"
        : `helm rollback to revision ${backTo.helmRevision} (${backTo.image}), verified again`;
  return [
    `1. helm upgrade --install ${facts.release}: ${objects.length} objects, image ${facts.image}`,
    ...(facts.workload.kind === "Rollout"
      ? [
          `2. its rollout, ${facts.rollout?.strategy === "blueGreen" ? "blue-green" : "canary"}: ${rolloutPlan(prepared)}`,
        ]
      : [
          `2. the release's own verification: it alone serves within ${facts.deadlineSeconds} s, and its declared checks pass`,
        ]),
    ...(prepared.holdsRoute ? ["3. it waits without its routes until a person promotes it"] : []),
    `${prepared.holdsRoute ? 4 : 3}. if it fails: ${takesBack ? back : "it is left as it is (--no-rollback)"}`,
  ];
}

/** The steps in words, as they are rendered; nothing stable means that none of them is taken. */
function rolloutPlan({ objects, state }: Awaited<ReturnType<typeof prepareDeploy>>): string {
  const rollout = objects.find(({ kind }) => kind === "Rollout") as Rollout | undefined;
  const { canary, blueGreen } = rollout?.spec.strategy ?? {};
  if (state.rollout === undefined || state.rollout.isFirstDeploy)
    return "nothing stable is there to compare with, so it is verified as it is";
  const analyses = (analysis: RolloutAnalysis | undefined) =>
    (analysis?.templates ?? []).map(({ templateName }) => templateName ?? "?");
  const names = [
    ...analyses(blueGreen?.prePromotionAnalysis),
    "the switch",
    ...analyses(blueGreen?.postPromotionAnalysis),
  ];
  return blueGreen === undefined ? (canary?.steps ?? []).map(stepWords).join(", ") : names.join(", ");
}

export function renderFindings(findings: Finding[]): string {
  const marks = { ok: "✓", refused: "✗", unknown: "?" } as const;
  return findings
    .map(
      ({ check, status, what, next }) =>
        `${marks[status]} ${check}: ${what}\n${next === undefined ? "" : `    next: ${next}\n`}`,
    )
    .join("");
}

function intentOf(options: DeployOptions) {
  const chart = options.chart;
  if (!/^(oci|https?):\/\//.test(chart) && !existsSync(chart)) {
    throw new CtlError("CTL_E_NO_CHART", `there is no chart at ${chart}`, {
      next: "name it with --chart, or in CTL_CHART",
    });
  }
  for (const file of options.values) {
    if (!existsSync(file))
      throw new CtlError("CTL_E_USAGE", `there is no values file ${file}`, { next: "correct --values" });
  }
  return {
    input: {
      chart,
      files: options.values,
      set: [...options.set, ...imageSettings(options.image)],
      setString: options.setString,
    },
    reuseValues: options.reuseValues,
    skipPreflight: options.skipPreflight,
    rollback: options.rollback,
    createNamespace: options.createNamespace,
    pauseFirst: options.pauseFirst === true,
    timeoutSeconds: timeoutSeconds(options),
    bakeSeconds: bakeSeconds(options.bake),
    addPlanned: options.timeoutIsDefault === true,
  };
}

function bakeSeconds(text: string | undefined): number {
  const seconds = text === undefined ? 0 : parseDuration(text);
  if (seconds !== undefined) return seconds;
  throw new CtlError("CTL_E_USAGE", `--bake ${text ?? ""} is not a duration`, { next: "write it as 90s, 5m or 1h" });
}

/** `--image repo:tag@digest` as the chart's values. A part that is not given is emptied, lest an old one stays. */
function imageSettings(image: string | undefined): string[] {
  if (image === undefined) return [];
  const reference = parseImageReference(image);
  if (reference === undefined) {
    throw new CtlError("CTL_E_USAGE", `"${image}" is not an image reference`, {
      next: "write it as registry/name:tag",
    });
  }
  const repository = image.replace(/@.*$/, "").replace(/:[^:/]*$/, "");
  return [
    `image.repository=${repository}`,
    `image.tag=${reference.tag ?? ""}`,
    `image.digest=${reference.digest ?? ""}`,
  ];
}
