import { spawn } from "node:child_process";

export interface Ran {
  code: number | null;
  stdout: string;
  stderr: string;
  /** Wall time. */
  seconds: number;
}

export interface RunOptions {
  env?: NodeJS.ProcessEnv;
  stdin?: string;
  cwd?: string;
  /** Shows its stderr as it comes. */
  show?: boolean;
  /** Called with each piece of its stderr. */
  onStderr?: (text: string) => void;
  /** Called with the process as soon as it runs. */
  onStart?: (pid: number) => void;
}

/** Everything that it printed. */
export function words({ stdout, stderr }: Ran): string {
  return `${stdout}\n${stderr}`;
}

/** Runs a program to its end, whatever its exit code. Only a program that cannot be started rejects. */
export async function run(program: string, args: string[], o: RunOptions = {}): Promise<Ran> {
  const startedAt = performance.now();
  const child = spawn(program, args, { env: o.env ?? process.env, cwd: o.cwd, stdio: ["pipe", "pipe", "pipe"] });
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8");
    child[name].on("data", (text: string) => {
      output[name] += text;
      if (o.show === true && name === "stderr") process.stderr.write(text);
      if (name === "stderr") o.onStderr?.(text);
    });
  }
  child.stdin.on("error", () => {});
  child.stdin.end(o.stdin ?? "");
  if (child.pid !== undefined) o.onStart?.(child.pid);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code));
  });
  return { code, ...output, seconds: (performance.now() - startedAt) / 1000 };
}

/** The same, for what must succeed; the error holds everything that it printed. */
export async function must(program: string, args: string[], o: RunOptions = {}): Promise<Ran> {
  const ran = await run(program, args, o);
  if (ran.code !== 0) {
    throw new Error(`${program} ${args.join(" ")} ended with ${ran.code}\n${words(ran)}`);
  }
  return ran;
}
