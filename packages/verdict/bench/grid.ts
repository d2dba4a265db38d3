/**
 * Simulates every promise and prints tables: `node bench/grid.ts [--runs 100000] [--workers 1] [--alpha 0.001] [--json]`.
 * Each cell has a seed of its own, so the figures repeat whatever the number of workers.
 */
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

function run({ index, policy, cell, runs }: Task): Row {
  const begun = performance.now();
  const isCost = !("promise" in cell);
  // A costly version fails soon; what it costs needs fewer rollouts than what happens once in a thousand.
  const used = isCost ? Math.min(runs, 20_000) : runs;
  const result = play(cell, used, 1000 + index);
  const before = isCost ? (cell.turns * cell.requestsPerSecond * cell.weight * cell.phases[0]!.stable) / 100 : 0;
  const bad = Array.from(result.bad)
    .map((each) => each - before)
    .toSorted((a, b) => a - b);
  return {
    policy,
    cell: cell.name,
    promise: isCost ? "cost" : cell.promise,
    runs: used,
    events: !isCost && cell.promise === "beta" ? result.passed : result.failed,
    promised: !isCost && cell.promise === "beta" ? cell.policy.beta : cell.policy.alpha,
    meanBad: bad.reduce((sum, each) => sum + each, 0) / used,
    p99Bad: bad[Math.ceil(0.99 * used) - 1]!,
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
    },
  });
  const tasks = tasksOf(Number(values.runs), Number(values.alpha));
  const rows: Row[] = [];
  const queue = [...tasks];
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
            process.stderr.write(`${rows.filter(Boolean).length}/${tasks.length} ${row.policy}: ${row.cell}\n`);
            next();
          });
          worker.on("error", reject);
          next();
        }),
    ),
  );
  if (values.json) console.log(JSON.stringify({ schemaVersion: 1, rows }, null, 2));
  else printRows(rows);
}

if (isMainThread) await main();
else if (workerData === "worker") {
  parentPort!.on("message", (task: Task) => {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- nor has the one that started it
    parentPort!.postMessage({ index: task.index, row: run(task) });
  });
}
