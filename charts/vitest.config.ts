import { defineProject } from "../vitest.shared.ts";

const project = defineProject("charts");

export default { ...project, test: { ...project.test, globalSetup: "test/support/global-setup.ts" } };
