import { defineConfig } from "vitest/config";

/**
 * The settings every package's tests share.
 * A run leaves a JSON report in the package's test-results/, which the final count of `.ci/run` is summed from.
 */
export function defineProject(name: string, overrides: { testTimeout?: number; fileParallelism?: boolean } = {}) {
  return defineConfig({
    test: {
      name,
      include: ["test/**/*.test.ts"],
      reporters: ["default", "json"],
      outputFile: { json: "test-results/report.json" },
      sequence: { shuffle: { files: true, tests: false } },
      passWithNoTests: false,
      ...overrides,
    },
  });
}
