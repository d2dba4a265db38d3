import { compareVersions, type Migration, type Phase, type Script } from "./files.ts";

/** One migration as the database remembers it. */
export type Applied = {
  version: string;
  name: string;
  phase: Phase;
  compatibleFrom: string;
  checksum: string;
  /** `undefined`: not reversible. */
  down: Script | undefined;
  appliedAt: Date;
  /** Version of the app whose image ran it. */
  appliedBy: string;
  /** false: it runs outside a transaction and was interrupted; it has to be run again. */
  finished: boolean;
};

export type UpStep = { direction: "up"; migration: Migration };
export type DownStep = { direction: "down"; applied: Applied; down: Script };

/**
 * What a command would do.
 * `batches` run in order; the steps of one batch share a transaction, where their scripts allow one.
 */
export type Plan<Step> =
  | { kind: "run"; from: string; to: string; batches: Step[][] }
  | { kind: "nothing"; at: string; reason: string }
  | { kind: "refused"; at: string; reasons: string[] };

/** Version of the schema: the newest finished migration, "0" before the first. Both lists are sorted, oldest first. */
export function currentVersion(applied: readonly Applied[]): string {
  return applied.findLast((entry) => entry.finished)?.version ?? "0";
}

/** Plans the way up to `target` (`undefined`: the newest file). Each migration is a batch of its own. */
export function planUpgrade(files: readonly Migration[], applied: readonly Applied[], target?: string): Plan<UpStep> {
  const at = currentVersion(applied);
  const to = target ?? files.at(-1)?.version ?? "0";
  const known = files.some(({ version }) => version === to) || applied.some(({ version }) => version === to);
  if (!known)
    return {
      kind: "refused",
      at,
      reasons: [`there is no migration ${to}; the newest here is ${files.at(-1)?.version ?? "none"}`],
    };

  const remembered = new Map(applied.map((entry) => [entry.version, entry]));
  const pending = files.filter(
    ({ version }) => compareVersions(version, to) <= 0 && remembered.get(version)?.finished !== true,
  );
  const reasons = [
    ...checksumMismatches(files, applied),
    ...pending
      .filter(({ version }) => compareVersions(version, at) < 0)
      .map(
        ({ version, name }) =>
          `${version}_${name} was never applied, but the database is already at ${at}: give it a newer version`,
      ),
  ];
  if (reasons.length > 0) return { kind: "refused", at, reasons };
  if (pending.length > 0)
    return { kind: "run", from: at, to, batches: pending.map((migration) => [{ direction: "up", migration }]) };
  const reason =
    compareVersions(at, to) > 0
      ? `the database is ahead, at ${at}; ${to} is already part of it`
      : `the database is already at ${to}`;
  return { kind: "nothing", at, reason };
}

/**
 * Plans the way down to `target` ("-1": one step back), with the SQL that the database stored when it went up.
 * Steps that allow it share one transaction, so that a refusal in the middle leaves everything as it was.
 */
export function planDowngrade(applied: readonly Applied[], target: string): Plan<DownStep> {
  const at = currentVersion(applied);
  const to = target === "-1" ? (applied.at(-2)?.version ?? "0") : target;
  if (to !== "0" && !applied.some(({ version }) => version === to))
    return {
      kind: "refused",
      at,
      reasons: [
        compareVersions(to, at) > 0
          ? `the database is at ${at}, older than ${to}: a downgrade does not go up`
          : `the database never had ${to}; it has ${applied.map(({ version }) => version).join(", ") || "no migration"}`,
      ],
    };
  const undo = applied.filter(({ version }) => compareVersions(version, to) > 0).toReversed();
  if (undo.length === 0) return { kind: "nothing", at, reason: `the database is already at ${to}` };

  const steps = undo.flatMap((entry): DownStep[] =>
    entry.down === undefined ? [] : [{ direction: "down", applied: entry, down: entry.down }],
  );
  if (steps.length < undo.length)
    return {
      kind: "refused",
      at,
      reasons: undo
        .filter(({ down }) => down === undefined)
        .map(
          ({ version, name, phase }) =>
            `${version}_${name} (${phase}) is not reversible: going back needs a backup from before it`,
        ),
    };
  const batches = steps.every(({ down }) => down.transaction) ? [steps] : steps.map((step) => [step]);
  return { kind: "run", from: at, to, batches };
}

/** Applied migrations whose file has changed since; an unfinished one may be corrected. */
export function checksumMismatches(files: readonly Migration[], applied: readonly Applied[]): string[] {
  const remembered = new Map(applied.filter(({ finished }) => finished).map((entry) => [entry.version, entry]));
  return files
    .filter(({ version, checksum }) => (remembered.get(version)?.checksum ?? checksum) !== checksum)
    .map(
      ({ version, name }) =>
        `${version}_${name}.up.sql differs from what was applied: restore the file and put the change into a new migration`,
    );
}
