import { defineProject } from "../../vitest.shared.ts";

export default defineProject("app", { testTimeout: 30_000 });
