import { spawn } from "node:child_process";
import { constants } from "node:os";
import path from "node:path";
import { chooseBackend } from "../backend.ts";
import { LabError } from "../errors.ts";
import { resolveLab } from "../identity.ts";
import { requireRoot } from "../machine/requirements.ts";
import { netnsFile, networkExists } from "../node/network.ts";
import { labEnvironment } from "./env.ts";

/**
 * Runs a program inside the cluster's network, where pod and service addresses are reached and cluster names
 * resolve, with the lab's environment; returns its exit code. On a cluster the lab did not make it just runs it.
 */
export async function exec(command: string[]): Promise<number> {
  const lab = resolveLab();
  const environment = { ...process.env, ...(await labEnvironment(lab)) };
  const [program = "", ...args] = command;
  if (chooseBackend(process.env, lab).kind === "external") return await handOver(program, args, environment);
  if (!networkExists(lab)) throw new LabError(`the lab ${lab.name} is not up`, { hint: "`lab up` starts it." });
  requireRoot("exec");
  // A mount namespace of the program's own, in which only the resolver's file differs.
  const script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"';
  const resolver = path.join(lab.state, "config/exec-resolv.conf");
  const entered = [`--net=${netnsFile(lab)}`, "--", "unshare", "--mount", "sh", "-c", script, resolver, ...command];
  return await handOver("nsenter", entered, environment);
}

/** Runs a program on this terminal; returns its exit code, or 128 plus the signal's number. */
export async function handOver(program: string, args: string[], environment: NodeJS.ProcessEnv): Promise<number> {
  const child = spawn(program, args, { stdio: "inherit", env: environment });
  // The terminal sends Ctrl-C to the program as well: this process waits for how it ends.
  const forward = (signal: NodeJS.Signals) => void child.kill(signal);
  const ignore = () => {};
  process.on("SIGINT", ignore).on("SIGTERM", forward);
  try {
    return await new Promise((resolve, reject) => {
      child.once("error", (cause) =>
        reject(new LabError(`${program} could not be started: ${cause.message}`, { cause })),
      );
      child.once("exit", (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
    });
  } finally {
    process.off("SIGINT", ignore).off("SIGTERM", forward);
  }
}
