import { spawn } from "node:child_process";
import { LabError } from "./errors.ts";

/**
 * Runs a program to its end and returns what it wrote to stdout.
 * Throws a LabError with the program's own last words when it does not exit with 0.
 */
export async function run(
  program: string,
  args: readonly string[],
  options: { input?: string; cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<string> {
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: options.env ?? process.env,
    stdio: ["pipe", "pipe", "pipe"],
  });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
  // A program that ends without reading its input is judged by its exit code, not by the broken pipe.
  child.stdin.on("error", () => {});
  child.stdin.end(options.input ?? "");
  const code = await new Promise<number | string>((resolve, reject) => {
    child.once("error", (cause) =>
      reject(new LabError(`${program} could not be started: ${cause.message}`, { cause })),
    );
    child.once("close", (exit, signal) => resolve(exit ?? signal ?? "unknown"));
  });
  if (code !== 0) {
    const words = Buffer.concat(stderr).toString().trim() || Buffer.concat(stdout).toString().trim();
    throw new LabError(`${[program, ...args].join(" ")} ended with ${code}${words && `: ${words}`}`);
  }
  return Buffer.concat(stdout).toString();
}
