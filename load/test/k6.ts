import { ensureTools } from "../../packages/lab/src/toolchain/tools.ts";

/** The k6 that the tests run: the environment variable K6, else one on PATH, else the lab's own, built if it must be. */
export async function findK6(): Promise<string> {
  return process.env.K6 ?? (await ensureTools(["k6"], { onProgress: console.error })).k6;
}
