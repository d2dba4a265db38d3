import { execFile, execFileSync } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { completionScript } from "../../src/commands/completion.ts";
import { buildProgram } from "../../src/program.ts";
import { temporaryFile } from "../fixtures/files.ts";

const run = promisify(execFile);
const program = buildProgram(() => Promise.resolve(), "charts/myapp");
const commands = program.commands.map((command) => command.name());

function isInstalled(shell: string): boolean {
  try {
    execFileSync(shell, ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

describe("the bash completion", () => {
  const script = completionScript("bash", program);

  /** What bash offers after these words; the last one is being typed. */
  async function offered(...words: string[]): Promise<string[]> {
    const file = await temporaryFile("ctl.bash", script);
    const ask = `set -u; source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 )); _ctl; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout } = await run("bash", ["-c", ask, file, "ctl", ...words]);
    return stdout.split("\n").filter(Boolean);
  }

  test("is a script that bash takes", async () => {
    const file = await temporaryFile("ctl.bash", script);
    await run("bash", ["-n", file]);
    const { stdout } = await run("bash", ["-c", `source "$0"; complete -p ctl`, file]);
    expect(stdout).toContain("-F _ctl ctl");
  });

  test("offers every command", async () => {
    expect(await offered("")).toEqual(commands);
    expect(await offered("roll")).toEqual(["rollback"]);
    expect(await offered("fail-")).toEqual(["fail-on", "fail-off"]);
  });

  test("offers a command's own options and those of all commands", async () => {
    const deploy = await offered("deploy", "--");
    for (const option of ["--chart", "--values", "--image", "--no-rollback", "--namespace", "--timeout"])
      expect(deploy).toContain(option);
    expect(await offered("rollback", "--t")).toEqual(["--to", "--to-revision", "--timeout"]);
    expect(await offered("rollback", "--chart")).toEqual([]);
  });
});

describe.each(["zsh", "fish"] as const)("the %s completion", (shell) => {
  const script = completionScript(shell, program);

  test("names every command with its description, and options where they belong", () => {
    for (const command of commands) expect(script).toContain(command);
    expect(script).toContain(shell === "zsh" ? "--no-rollback[" : "-l no-rollback");
    expect(script).toContain("go back to the last verified release");
  });

  test("has no quote that is not closed, and is taken by the shell where there is one", async () => {
    for (const each of script.split("\n")) expect((each.match(/'/g) ?? []).length % 2, each).toBe(0);
    if (isInstalled(shell)) await run(shell, ["-n", await temporaryFile(`ctl.${shell}`, script)]);
  });
});

test("another shell is refused, naming those there are", () => {
  expect(() => completionScript("tcsh", program)).toThrow(expect.objectContaining({ code: "CTL_E_USAGE" }) as Error);
});
