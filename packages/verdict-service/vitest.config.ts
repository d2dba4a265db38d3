import { defineProject } from "../../vitest.shared.ts";

export default defineProject("verdict-service", { testTimeout: 30_000 });
