import { access, constants } from "node:fs/promises";
import path from "node:path";

/**
 * The k6 that the tests run: the environment variable K6, else k6 on PATH, else the one that the lab's toolchain builds.
 */
export async function findK6(): Promise<string> {
  if (process.env.K6 !== undefined) return process.env.K6;
  for (const directory of (process.env.PATH ?? "").split(path.delimiter)) {
    const candidate = path.join(directory, "k6");
    try {
      await access(candidate, constants.X_OK);
      return candidate;
    } catch {
      // Not in this directory.
    }
  }
  throw new Error("no k6 found: put k6 1.0 or later on PATH, or name it in the environment variable K6");
}
