/**
 * Simulates every promise and prints tables: `node bench/grid.ts [--runs 100000] [--workers 1] [--alpha 0.001] [--json]
 * [--rows FILE]`. Each cell has a seed of its own, so the figures repeat whatever the number of workers. What is done is
 * kept in FILE, and a run that was ended goes on from there.
 */
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { clopperPearson } from "../src/intervals.ts";
import { defaultPolicy, type Policy } from "../src/policy.ts";
import { play } from "../src/simulator/counted-rollouts.ts";
import { badCells, type CostCell, costCells, goodCells, type NamedCell } from "./promises.ts";

const policies: { name: string; policy: Policy }[] = [
  { p0: 0.001, p1: 0.01 },
  { p0: 0.005, p1: 0.02 },
  { p0: 0.01, p1: 0.05 },
].map((absolute) => ({
  name: `${absolute.p0 * 100} % against ${absolute.p1 * 100} %`,
  policy: { ...defaultPolicy, rules: [{ ...defaultPolicy.rules[0]!, absolute }] },
}));

/** What was seen of one cell. */
export interface Row {
  policy: string;
  cell: string;
  promise: "alpha" | "beta" | "cost";
  runs: number;
  /** Failed (alpha), passed (beta), or failed (cost). */
  events: number;
  promised: number;
  /** Bad requests since the version was bad, and their 99th percentile. */
  meanBad: number;
  p99Bad: number;
  absolute: number;
  comparison: number;
  perLook: number;
  milliseconds: number;
}

interface Task {
  index: number;
  policy: string;
  cell: NamedCell | CostCell;
  runs: number;
}

/** What is simulated for a cell, and how much of it is promised at most. */
function promiseOf({ cell, runs }: Task): Pick<Row, "promise" | "runs" | "promised"> {
  const { alpha, beta } = cell.policy;
  // A costly version fails soon; what it costs needs fewer rollouts than what happens once in a thousand.
  if (!("promise" in cell)) return { promise: "cost", runs: Math.min(runs, 20_000), promised: alpha };
  return { promise: cell.promise, runs, promised: cell.promise === "beta" ? beta : alpha };
}

function run(task: Task): Row {
  const begun = performance.now();
  const { index, policy, cell } = task;
  const { promise, runs, promised } = promiseOf(task);
  const isCost = !("promise" in cell);
  const result = play(cell, runs, 1000 + index);
  const before = isCost ? (cell.turns * cell.requestsPerSecond * cell.weight * cell.phases[0]!.stable) / 100 : 0;
  const bad = Array.from(result.bad)
    .map((each) => each - before)
    .toSorted((a, b) => a - b);
  return {
    policy,
    cell: cell.name,
    promise,
    runs,
    events: promise === "beta" ? result.passed : result.failed,
    promised,
    meanBad: bad.reduce((sum, each) => sum + each, 0) / runs,
    p99Bad: bad[Math.ceil(0.99 * runs) - 1]!,
    absolute: isCost ? cell.absolute : 0,
    comparison: isCost ? cell.comparison : 0,
    perLook: isCost ? cell.perLook : 0,
    milliseconds: performance.now() - begun,
  };
}

function tasksOf(runs: number, alpha: number): Task[] {
  const tasks: Omit<Task, "index">[] = [];
  for (const { name, policy } of policies) {
    const used = { ...policy, alpha };
    const cells = [...goodCells(used), ...badCells(used), ...costCells(used)];
    for (const cell of cells) tasks.push({ policy: name, cell, runs });
  }
  return tasks.map((task, index) => ({ ...task, index }));
}

function printRows(rows: readonly Row[]): void {
  const percent = (ratio: number) => `${(100 * ratio).toFixed(3)} %`;
  for (const { name } of policies) {
    const own = rows.filter(({ policy }) => policy === name);
    for (const promise of ["alpha", "beta"] as const) {
      console.log(
        `\n### ${name}: ${promise === "alpha" ? "good versions that were failed" : "bad versions that passed a gate"}\n`,
      );
      console.log("| cell | rollouts | seen | 95 % interval | promised | kept |\n|---|---:|---:|---|---:|---|");
      for (const row of own.filter((each) => each.promise === promise)) {
        const { low, high } = clopperPearson(row.events, row.runs);
        const kept = low <= row.promised ? "yes" : "NO";
        console.log(
          `| ${row.cell} | ${row.runs} | ${percent(row.events / row.runs)} | ${percent(low)} to ${percent(high)} | ${percent(row.promised)} | ${kept} |`,
        );
      }
    }
    console.log(`\n### ${name}: bad requests until a bad version was failed, 100 requests/s, a look each second\n`);
    console.log(
      "| cell | mean | 99th percentile | exact, absolute test | exact, comparison | let through by the looks | mean over the larger and the looks | failed |\n|---|---:|---:|---:|---:|---:|---:|---:|",
    );
    for (const row of own.filter((each) => each.promise === "cost")) {
      const ratio = row.meanBad / (Math.max(row.absolute, row.comparison) + row.perLook);
      console.log(
        `| ${row.cell} | ${row.meanBad.toFixed(1)} | ${row.p99Bad.toFixed(0)} | ${row.absolute.toFixed(1)} | ${row.comparison.toFixed(1)} | ${row.perLook.toFixed(1)} | ${ratio.toFixed(2)} | ${percent(row.events / row.runs)} |`,
      );
    }
  }
  const seconds = rows.reduce((sum, row) => sum + row.milliseconds, 0) / 1000;
  console.log(`\n${rows.length} cells in ${seconds.toFixed(0)} s of one core.`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      runs: { type: "string", default: "100000" },
      workers: { type: "string", default: "1" },
      alpha: { type: "string", default: String(defaultPolicy.alpha) },
      json: { type: "boolean", default: false },
      rows: { type: "string" },
    },
  });
  const tasks = tasksOf(Number(values.runs), Number(values.alpha));
  const kept = values.rows === undefined ? [] : readRows(values.rows);
  const rows: (Row | undefined)[] = tasks.map((task) => kept.find((row) => isOf(row, task)));
  const queue = tasks.filter(({ index }) => rows[index] === undefined);
  await Promise.all(
    Array.from(
      { length: Number(values.workers) },
      () =>
        new Promise<void>((resolve, reject) => {
          const worker = new Worker(new URL(import.meta.url), { workerData: "worker" });
          const next = () => {
            const task = queue.shift();
            if (task === undefined) {
              void worker.terminate();
              resolve();
            } else {
              // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker thread has no origin
              worker.postMessage(task);
            }
          };
          worker.on("message", ({ index, row }: { index: number; row: Row }) => {
            rows[index] = row;
            if (values.rows !== undefined) appendFileSync(values.rows, `${JSON.stringify(row)}\n`);
            process.stderr.write(`${rows.filter(Boolean).length}/${tasks.length} ${row.policy}: ${row.cell}\n`);
            next();
          });
          worker.on("error", reject);
          next();
        }),
    ),
  );
  const all = rows.filter((row) => row !== undefined);
  if (values.json) console.log(JSON.stringify({ schemaVersion: 1, rows: all }, null, 2));
  else printRows(all);
}

function readRows(file: string): Row[] {
  if (!existsSync(file)) return [];
  const text = readFileSync(file, "utf8");
  // A run that was killed may have left half a line; the next row must not be written behind it.
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  if (whole !== text) writeFileSync(file, whole);
  const lines = whole.split("\n").filter(Boolean);
  return lines.map((line) => JSON.parse(line) as Row);
}

/** Whether a row is what the task would give. */
function isOf({ policy, cell, promise, runs, promised }: Row, task: Task): boolean {
  const expected = promiseOf(task);
  return (
    policy === task.policy &&
    cell === task.cell.name &&
    promise === expected.promise &&
    runs === expected.runs &&
    promised === expected.promised
  );
}

if (isMainThread) await main();
else if (workerData === "worker") {
  parentPort!.on("message", (task: Task) => {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- nor has the one that started it
    parentPort!.postMessage({ index: task.index, row: run(task) });
  });
}
