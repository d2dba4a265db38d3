import { defineProject } from "../../vitest.shared.ts";

// A browser on a busy machine starts slowly.
export default defineProject("report", { testTimeout: 120_000, hookTimeout: 120_000 });
