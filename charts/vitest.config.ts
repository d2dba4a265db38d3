import { defineProject } from "../vitest.shared.ts";

const project = defineProject("charts", { testTimeout: 60_000 });

export default { ...project, test: { ...project.test, globalSetup: "test/support/global-setup.ts" } };
