import { defineConfig } from "vitest/config";

interface TestOptions {
  testTimeout?: number;
  hookTimeout?: number;
  fileParallelism?: boolean;
  globalSetup?: string;
}

/**
 * The settings every package's tests share.
 * A run leaves a JSON report in the package's test-results/, which the final count of `.ci/run` is summed from.
 */
export function defineProject(name: string, overrides: TestOptions = {}) {
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
