import { defineConfig, type TestProjectInlineConfiguration } from "vitest/config";

type TestOptions = NonNullable<TestProjectInlineConfiguration["test"]>;

/** A run leaves a JSON report in the package's test-results/, which the final count of `.ci/run` is summed from. */
export const reported = {
  reporters: ["default", "json"],
  outputFile: { json: "test-results/report.json" },
  passWithNoTests: false,
};

/** The settings every package's tests share. */
export function defineProject(name: string, overrides: TestOptions = {}) {
  return defineConfig({
    test: {
      name,
      include: ["test/**/*.test.ts"],
      ...reported,
      // Only what hangs is ended by it: a busy machine takes its time.
      testTimeout: 120_000,
      hookTimeout: 120_000,
      sequence: { shuffle: { files: true, tests: false } },
      ...overrides,
    },
  });
}
