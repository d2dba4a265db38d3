import { mergeConfig } from "vitest/config";
import { defineProject } from "../../vitest.shared.ts";

export default mergeConfig(
  // One test kills the API server that all share.
  defineProject("kube", { fileParallelism: false }),
  { test: { globalSetup: ["test/global-setup.ts"] } },
);
