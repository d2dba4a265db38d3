import { defineProject } from "../../vitest.shared.ts";

/** Some train, or play many rollouts, or start programs: on a busy machine that takes its time. */
export default defineProject("agent", { testTimeout: 120_000, hookTimeout: 120_000 });
