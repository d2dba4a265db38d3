import { mkdirSync, rmSync } from "node:fs";
import path from "node:path";
import { clopperPearson } from "@safe-deploy/verdict";
import type { Row as Cell } from "../../../packages/verdict/bench/grid.ts";
import { must } from "../run.ts";
import { root } from "../world.ts";
import type { Figure, Row } from "./figure.ts";
import { pairedRatio } from "./measure.ts";

const costGoal = 1.5;

/** The sequential engine's promises in 100,000 simulated rollouts of half an hour for each cell. */
export const promises: Figure = {
  name: "promises",
  seconds: 90 * 60,
  onlyWith: "LONG",
  async measure({ env, note }) {
    // Hours of work: what an interrupted run did is not done again.
    const done = path.join(root, "artifacts/promises.jsonl");
    mkdirSync(path.dirname(done), { recursive: true });
    note(`promises: 321 cells, on two cores; done ones are kept in ${path.relative(root, done)}`);
    const grid = ["bench/grid.ts", "--workers", "2", "--json", "--rows", done];
    const ran = await must(process.execPath, grid, { cwd: path.join(root, "packages/verdict"), env });
    rmSync(done);
    return rowsOf((JSON.parse(ran.stdout) as { rows: Cell[] }).rows);
  },
};

/** @param cells of one or more policies. */
export function rowsOf(cells: readonly Cell[]): Row[] {
  return [...new Set(cells.map(({ policy }) => policy))].flatMap((policy) => {
    const of = (promise: Cell["promise"]) => cells.filter((cell) => cell.policy === policy && cell.promise === promise);
    return [
      keptRow(`good versions failed, ${policy}`, of("alpha")),
      keptRow(`bad versions that passed a gate, ${policy}`, of("beta")),
      costRow(`bad requests until a bad version was failed, ${policy}`, of("cost")),
    ];
  });
}

/** Kept is what chance explains: the lower end of the exact 95 % interval is within the promise. */
function keptRow(what: string, cells: readonly Cell[]): Row {
  const seen = cells.map(({ events }) => events);
  const promised = cells.map(({ promised: share, runs }) => share * runs);
  const isKept = ({ events, runs, promised: share }: Cell) => clopperPearson(events, runs).low <= share;
  return {
    what,
    subject: { command: `the median of ${cells.length} cells`, unit: "rollouts", values: seen },
    baseline: { command: `the promise, of ${cells[0]!.runs}`, unit: "rollouts", values: promised },
    ratio: pairedRatio(seen, promised, "of the limit"),
    goal: { text: "at most the promise in every cell", isMet: cells.every(isKept) },
    note: cells.map(({ cell, events }) => `${cell}: ${events}`).join("; "),
  };
}

/** Beside the exact expectation of the boundary, of the absolute test or of the comparison, and half a look. */
function costRow(what: string, cells: readonly Cell[]): Row {
  const seen = cells.map(({ meanBad }) => meanBad);
  const exact = cells.map(({ absolute, comparison, perLook }) => Math.max(absolute, comparison) + perLook);
  const ratio = pairedRatio(seen, exact, "times the baseline");
  const missed = cells.reduce((sum, { events, runs }) => sum + runs - events, 0);
  return {
    what,
    subject: { command: `the mean of ${cells[0]!.runs}, in ${cells.length} cells`, unit: "requests", values: seen },
    baseline: { command: "the boundary's exact expectation", unit: "requests", values: exact },
    ratio,
    goal: { text: `at most ${costGoal} in every cell`, isMet: ratio.max <= costGoal },
    note: `${missed} of ${cells.reduce((sum, { runs }) => sum + runs, 0)} bad versions were not failed within half an hour`,
  };
}
