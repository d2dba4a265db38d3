import { defineProject } from "../../vitest.shared.ts";

// A machine that does other things too takes its time; what is waited for ends the wait.
export default defineProject("verdict-service", { expect: { poll: { timeout: 60_000 } } });
