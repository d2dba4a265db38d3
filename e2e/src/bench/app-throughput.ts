import path from "node:path";
import { must } from "../run.ts";
import { root } from "../world.ts";
import type { Figure, Row } from "./figure.ts";
import { pairedRatio } from "./measure.ts";

const rounds = 12;
const secondsPerRound = 2;
const goal = 0.9;

type Round = { perSecond: number; perCpuSecond: number };

export const appThroughput: Figure = {
  name: "app-throughput",
  seconds: rounds * 2 * secondsPerRound + 10,
  async measure({ env, note }) {
    const app = path.join(root, "packages/app");
    await must(process.execPath, ["build.ts"], { cwd: app, env });
    note(`app-throughput: ${rounds} rounds of ${secondsPerRound} s with each server`);
    const ran = await must(process.execPath, ["bench/throughput.ts", String(rounds), String(secondsPerRound)], {
      cwd: app,
      env,
    });
    const measured = JSON.parse(ran.stdout) as { bare: Round[]; app: Round[] };
    const throughput = row(
      "requests/s of the app, with metrics and a log line for each request",
      (round) => round.perSecond,
    );
    return [
      { ...throughput, goal: { text: `at least ${goal}`, isMet: throughput.ratio.median >= goal } },
      {
        ...row("the same per second of the server's processor time", (round) => round.perCpuSecond),
        note: "what a server answers when no load generator or neighbour holds it back",
      },
    ];

    function row(what: string, of: (round: Round) => number): Row {
      const [subject, baseline] = [measured.app.map(of), measured.bare.map(of)];
      return {
        what,
        subject: { command: "the app, GET /version", unit: "requests/s", values: subject },
        baseline: { command: "a bare fastify with the same answer", unit: "requests/s", values: baseline },
        ratio: pairedRatio(subject, baseline, "times the baseline"),
      };
    }
  },
};
