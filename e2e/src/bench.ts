/**
 * Measures the figures of docs/benchmarks.md, each beside a baseline of the same run, in a lab of its own, and writes
 * the sections of what it measured. `--only NAME` measures one. COLD=1 measures the demo from a fresh clone with empty
 * caches too, LONG=1 what takes half an hour each.
 */
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { appThroughput } from "./bench/app-throughput.ts";
import { chartRendering } from "./bench/chart-rendering.ts";
import { cliStart } from "./bench/cli-start.ts";
import { coldDemo, warmDemo } from "./bench/demo.ts";
import { detection } from "./bench/detection.ts";
import { engines } from "./bench/engines.ts";
import { falseAborts, falseAbortsSequential } from "./bench/false-aborts.ts";
import type { Bench } from "./bench/figure.ts";
import { labUp } from "./bench/lab-up.ts";
import { limits } from "./bench/limits.ts";
import { liveAgainstSimulated } from "./bench/live-against-simulated.ts";
import { readLoad, readMachine, renderRun, type Run, writePage } from "./bench/page.ts";
import { promises } from "./bench/promises.ts";
import { restore } from "./bench/restore.ts";
import { simulatedBudget } from "./bench/simulated-budget.ts";
import { simulatedEngines } from "./bench/simulated-engines.ts";
import { simulatorSpeed } from "./bench/simulator-speed.ts";
import { status } from "./bench/status.ts";
import { verdictLoad } from "./bench/verdict-load.ts";
import { must } from "./run.ts";
import { root } from "./world.ts";

const figures = [
  cliStart,
  chartRendering,
  appThroughput,
  simulatorSpeed,
  simulatedBudget,
  simulatedEngines,
  verdictLoad,
  labUp,
  restore,
  limits,
  status,
  warmDemo,
  coldDemo,
  detection,
  falseAborts,
  engines,
  falseAbortsSequential,
  liveAgainstSimulated,
  promises,
];

const only = readOnly();
const chosen = figures.filter((figure) =>
  only === undefined ? figure.onlyWith === undefined || process.env[figure.onlyWith] === "1" : figure.name === only,
);

// A lab of its own: it is taken down and up, which must not happen to the one that somebody works with.
const ownLab = process.env["LAB_NAME"] ?? `lab-${createHash("sha256").update(root).digest("hex").slice(0, 6)}`;
process.env["LAB_NAME"] = `${ownLab.slice(0, 29)}-bench`;
for (const name of ["KUBECONFIG", "LAB", "MAKEFLAGS", "MAKELEVEL", "MFLAGS"]) delete process.env[name];

const startedAt = performance.now();
let interrupted = false;
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    interrupted = true;
    process.stderr.write("\nbench: interrupted; the lab is taken down when the running command has ended\n");
  });
}

const run = await measureAll();
mkdirSync(path.join(root, "artifacts"), { recursive: true });
const file = path.join(root, `artifacts/bench${only === undefined ? "" : `-${only}`}.json`);
writeFileSync(file, `${JSON.stringify(run, undefined, 2)}\n`);
process.stdout.write(`${renderRun(run)}\n`);
const names = figures.map(({ name }) => name);
writePage(path.join(root, "docs/benchmarks.md"), run, names);
process.stderr.write(`bench: all values are in ${path.relative(process.cwd(), file)}\n`);
if (interrupted) process.exitCode = 130;
else if (run.failures.length > 0) process.exitCode = 1;

/** The figure that --only names. Ends the process on wrong usage. */
function readOnly(): string | undefined {
  const names = figures.map(({ name }) => name);
  try {
    const { only } = parseArgs({ options: { only: { type: "string" } } }).values;
    if (only === undefined || names.includes(only)) return only;
    process.stderr.write(`bench: there is no figure "${only}"; choose one of ${names.join(", ")}\n`);
  } catch (error) {
    process.stderr.write(`bench: ${(error as Error).message}\nusage: bench [--only ${names.join("|")}]\n`);
  }
  process.exit(2);
}

async function measureAll(): Promise<Run> {
  const run: Run = {
    schemaVersion: 2,
    date: new Date().toISOString().slice(0, 10),
    // No tag is taken for its name.
    commit: (await must("git", ["describe", "--always", "--dirty", "--exclude=*"], { cwd: root })).stdout.trim(),
    command: only === undefined ? ["make bench", ...asked()].join(" ") : `bench --only ${only}`,
    machine: readMachine(),
    measured: [],
    failures: [],
  };
  const tools = (await must(process.execPath, ["packages/lab/src/main.ts", "tools", "kubectl", "helm"], { cwd: root }))
    .stdout;
  const env = { ...process.env, PATH: `${tools.trim()}:${process.env["PATH"]}` };
  try {
    for (const [index, figure] of chosen.entries()) {
      if (interrupted) break;
      const later = chosen.slice(index + 1).reduce((sum, { seconds }) => sum + seconds, 0);
      const note = noting(figure.seconds, later);
      const failed = (what: string, error: Error) => {
        run.failures.push({ figure: what, error: error.message });
        note(`${what}: not measured: ${error.message}`);
      };
      const bench: Bench = { env, note, failed: (part, error) => failed(`${figure.name}: ${part}`, error) };
      bench.note(`${figure.name}: starting (${index + 1} of ${chosen.length})`);
      try {
        const loadBefore = readLoad();
        run.measured.push({ figure: figure.name, loadBefore, rows: await figure.measure(bench) });
      } catch (error) {
        failed(figure.name, error as Error);
      }
    }
  } finally {
    await must(process.execPath, ["packages/lab/src/main.ts", "down"], { cwd: root });
  }
  return run;
}

/** What the command line of a whole run asked for beside the rest. */
function asked(): string[] {
  return ["COLD", "LONG"].filter((name) => process.env[name] === "1").map((name) => `${name}=1`);
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
