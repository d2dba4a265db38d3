import { defineProject } from "../vitest.shared.ts";

export default defineProject("load", { testTimeout: 60_000, fileParallelism: false });
