import type { Change, Check, Kind, Phase, Report, Result, Role, Step, Strategy, TimelineEntry } from "./report.ts";

/** good: nothing to do. back: bad, and put right. bad: a person is needed now. wait: open. */
export type Tone = "good" | "back" | "bad" | "wait";

/** The sign and the word that say the same as the colour. */
export interface Word {
  sign: string;
  word: string;
  tone: Tone;
}

export const results: Record<Result, Word> = {
  running: { sign: "…", word: "Running", tone: "wait" },
  verified: { sign: "✓", word: "Verified", tone: "good" },
  restored: { sign: "↩", word: "Restored", tone: "back" },
  removed: { sign: "↩", word: "Removed", tone: "back" },
  failed: { sign: "✗", word: "Failed", tone: "bad" },
  restoreFailed: { sign: "✗", word: "Not restored", tone: "bad" },
  unverified: { sign: "?", word: "Not verified", tone: "wait" },
  paused: { sign: "‖", word: "Paused", tone: "wait" },
  inconclusive: { sign: "?", word: "Inconclusive", tone: "wait" },
  deadline: { sign: "…", word: "Out of time", tone: "wait" },
  interrupted: { sign: "■", word: "Interrupted", tone: "wait" },
  nothingToDo: { sign: "✓", word: "Nothing to do", tone: "good" },
};

export const phases: Record<Phase, Word> = {
  Pending: { sign: "·", word: "pending", tone: "wait" },
  Running: { sign: "…", word: "running", tone: "wait" },
  Successful: { sign: "✓", word: "passed", tone: "good" },
  Failed: { sign: "✗", word: "failed", tone: "bad" },
  Error: { sign: "✗", word: "error", tone: "bad" },
  Inconclusive: { sign: "?", word: "inconclusive", tone: "wait" },
};

export const checkOutcomes: Record<Check["outcome"], Word> = {
  passed: { sign: "✓", word: "passed", tone: "good" },
  failed: { sign: "✗", word: "failed", tone: "bad" },
  notRun: { sign: "·", word: "not run", tone: "wait" },
};

export const stepStates: Record<Step["state"], Word> = {
  done: { sign: "✓", word: "done", tone: "good" },
  current: { sign: "▸", word: "now", tone: "wait" },
  pending: { sign: "·", word: "to come", tone: "wait" },
  failed: { sign: "✗", word: "failed", tone: "bad" },
  skipped: { sign: "–", word: "not reached", tone: "wait" },
};

export const kinds: Record<Kind, string> = {
  deploy: "Deploy",
  rollback: "Rollback",
  promote: "Promotion",
  abort: "Abort",
  retry: "Retry",
  undo: "Undo",
  flag: "Flag change",
  mode: "Change of mode",
};

export const entryKinds: Record<TimelineEntry["kind"], string> = {
  change: "change",
  step: "step",
  pods: "pods",
  analysis: "analysis",
  decision: "decision",
  restore: "restore",
  verify: "verify",
  person: "person",
  note: "note",
};

export const strategies: Record<Strategy["kind"], string> = {
  rolling: "rolling update",
  recreate: "recreate",
  canary: "canary",
  blueGreen: "blue-green",
};

export const changed: Record<Change["what"], string> = {
  image: "Image",
  digest: "Digest",
  config: "Config",
  secret: "Secret",
  flag: "Flag",
  schema: "Schema",
  chart: "Chart",
  strategy: "Strategy",
  replicas: "Replicas",
  mode: "Mode",
};

/** What the field calls the version in this strategy. */
export function roleWord(role: Role, strategy: Strategy | undefined): string {
  if (strategy?.kind === "canary") return { stable: "stable", new: "canary" }[role];
  return { stable: "old", new: "new" }[role];
}

/** "canary, split by traefik" */
export function strategyText(strategy: Strategy): string {
  const name = strategies[strategy.kind];
  if (strategy.router !== undefined) return `${name}, split by ${strategy.router}`;
  return name;
}

/** What differs, with the key: "Config LOG_LEVEL". */
export function changeName({ what, name }: Change): string {
  return name === undefined ? changed[what] : `${changed[what]} ${name}`;
}

/** One side of a change. */
export function changeValue(value: string | null | undefined): string {
  return value === undefined ? "(not shown)" : value === null ? "(not set)" : value === "" ? "(empty)" : value;
}

/** Seconds from start to end; undefined while the operation goes on or when a time is no time. */
export function durationOf({ startedAt, endedAt }: Report): number | undefined {
  const seconds = (Date.parse(endedAt ?? "") - Date.parse(startedAt)) / 1000;
  return Number.isNaN(seconds) ? undefined : seconds;
}
