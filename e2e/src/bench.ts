/**
 * Measures the figures of docs/benchmarks.md, each beside a baseline of the same run, in a lab of its own.
 * `--only NAME` measures one and prints it; COLD=1 measures the demo from a fresh clone with empty caches too.
 */
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { appThroughput } from "./bench/app-throughput.ts";
import { chartRendering } from "./bench/chart-rendering.ts";
import { cliStart } from "./bench/cli-start.ts";
import { coldDemo, warmDemo } from "./bench/demo.ts";
import type { Bench, Figure } from "./bench/figure.ts";
import { labUp } from "./bench/lab-up.ts";
import { readMachine, renderRun, type Run, writePage } from "./bench/page.ts";
import { restore } from "./bench/restore.ts";
import { must } from "./run.ts";
import { root } from "./world.ts";

const figures = [cliStart, chartRendering, appThroughput, labUp, restore, warmDemo, coldDemo];

const chosen = chooseFigures();
if (chosen === undefined) process.exit(2);

// A lab of its own: it is taken down and up, which must not happen to the one that somebody works with.
const ownLab = process.env["LAB_NAME"] ?? `lab-${createHash("sha256").update(root).digest("hex").slice(0, 6)}`;
process.env["LAB_NAME"] = `${ownLab.slice(0, 29)}-bench`;
for (const name of ["KUBECONFIG", "LAB", "MAKEFLAGS", "MAKELEVEL", "MFLAGS"]) delete process.env[name];

const startedAt = performance.now();
let interrupted = false;
process.on("SIGINT", () => {
  interrupted = true;
  process.stderr.write("\nbench: interrupted; taking the lab down\n");
});

const run = await measure(chosen);
mkdirSync(path.join(root, "artifacts"), { recursive: true });
const isWhole = chosen.length >= figures.length - 1 && !interrupted;
const file = path.join(root, "artifacts", isWhole ? "bench.json" : "bench-partial.json");
writeFileSync(file, `${JSON.stringify(run, undefined, 2)}\n`);
process.stdout.write(`${renderRun(run)}\n`);
if (isWhole && run.failures.length === 0) writePage(path.join(root, "docs/benchmarks.md"), run);
else process.stderr.write("bench: docs/benchmarks.md is left as it was: it holds whole runs only\n");
process.stderr.write(`bench: all values are in ${path.relative(process.cwd(), file)}\n`);
if (interrupted) process.exitCode = 130;
else if (run.failures.length > 0) process.exitCode = 1;

function chooseFigures(): Figure[] | undefined {
  const names = figures.map(({ name }) => name).join(", ");
  try {
    const { values } = parseArgs({ options: { only: { type: "string" } } });
    if (values.only === undefined)
      return figures.filter((figure) => figure !== coldDemo || process.env["COLD"] === "1");
    const figure = figures.find(({ name }) => name === values.only);
    if (figure !== undefined) return [figure];
    process.stderr.write(`bench: there is no figure "${values.only}"; choose one of ${names}\n`);
  } catch (error) {
    process.stderr.write(`bench: ${(error as Error).message}\nusage: node e2e/src/bench.ts [--only ${names}]\n`);
  }
  return undefined;
}

async function measure(chosen: Figure[]): Promise<Run> {
  const run: Run = {
    schemaVersion: 1,
    date: new Date().toISOString().slice(0, 10),
    commit: (await must("git", ["rev-parse", "--short", "HEAD"], { cwd: root })).stdout.trim(),
    command: `make bench${process.env["COLD"] === "1" ? " COLD=1" : ""}`,
    machine: readMachine(),
    rows: [],
    failures: [],
  };
  const tools = (await must(process.execPath, ["packages/lab/src/main.ts", "tools", "kubectl", "helm"], { cwd: root }))
    .stdout;
  const env = { ...process.env, PATH: `${tools.trim()}:${process.env["PATH"]}` };
  try {
    for (const [index, figure] of chosen.entries()) {
      if (interrupted) break;
      const later = chosen.slice(index + 1).reduce((sum, { seconds }) => sum + seconds, 0);
      const bench: Bench = { env, note: noting(figure.seconds, later) };
      bench.note(`${figure.name}: starting (${index + 1} of ${chosen.length})`);
      try {
        run.rows.push(...(await figure.measure(bench)));
      } catch (error) {
        run.failures.push({ figure: figure.name, error: (error as Error).message });
        bench.note(`${figure.name}: not measured: ${(error as Error).message}`);
      }
    }
  } finally {
    await must(process.execPath, ["packages/lab/src/main.ts", "down"], { cwd: root });
  }
  return run;
}

/** Lines with the time since the start and an estimate of the whole. */
function noting(seconds: number, later: number): Bench["note"] {
  const since = performance.now();
  return (line) => {
    const now = performance.now();
    const left = Math.max(0, seconds - (now - since) / 1000) + later;
    const elapsed = (now - startedAt) / 1000;
    process.stderr.write(`[${elapsed.toFixed(0).padStart(4)} s of about ${(elapsed + left).toFixed(0)} s] ${line}\n`);
  };
}
