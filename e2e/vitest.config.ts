import { defineProject } from "../vitest.shared.ts";

export default defineProject("e2e");
