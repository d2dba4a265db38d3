import { defineProject } from "../../vitest.shared.ts";

// Simulations take their time on a machine that has little of it.
export default defineProject("verdict", { testTimeout: 120_000 });
