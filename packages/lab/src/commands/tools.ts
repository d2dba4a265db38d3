import { LabError, exitCodes } from "../errors.ts";
import { toolNames, type ToolName } from "../toolchain/catalog.ts";
import { toolPath } from "../toolchain/tools.ts";
import { commandProgress } from "./progress.ts";

/** Builds the named tools, or all, as far as they are missing, and prints a directory for PATH with them. */
export async function tools(names: string[]): Promise<void> {
  const unknown = names.filter((name) => !toolNames.includes(name as ToolName));
  if (unknown.length > 0) {
    throw new LabError(`the toolchain has no ${unknown.map((name) => JSON.stringify(name)).join(", ")}`, {
      hint: `It has: ${toolNames.join(", ")}.`,
      exitCode: exitCodes.usage,
    });
  }
  const progress = commandProgress("tools", {});
  const wanted = names.length === 0 ? toolNames : (names as ToolName[]);
  process.stdout.write(`${await toolPath(wanted, {}, { onProgress: (line) => progress.note(line) })}\n`);
}
