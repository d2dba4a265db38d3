import { defineProject } from "../vitest.shared.ts";

/** One cluster, so one file at a time; a test may take as long as a deploy and its way back. */
export default defineProject("e2e", {
  testTimeout: 300_000,
  hookTimeout: 300_000,
  fileParallelism: false,
  globalSetup: "src/setup.ts",
});
