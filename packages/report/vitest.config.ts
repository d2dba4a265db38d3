import { defineProject } from "../../vitest.shared.ts";

// A browser on a busy machine starts slowly.
export default defineProject("report", { testTimeout: 60_000, hookTimeout: 60_000 });
