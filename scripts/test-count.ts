/**
 * Sums the reports that every package's tests left behind into the last line of `.ci/run`: `N passed, N failed`.
 * A package without a report ran no test, which counts as a failure: silence is not a pass.
 */
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const projects = globSync("{packages/*,charts,load,e2e}/vitest.config.ts").map((file) => dirname(file));
let passed = 0;
let failed = 0;
for (const project of projects.sort()) {
  const file = join(project, "test-results/report.json");
  if (!existsSync(file)) {
    process.stdout.write(`${project}: no report; its tests did not run\n`);
    failed++;
    continue;
  }
  const report = JSON.parse(readFileSync(file, "utf8")) as {
    numPassedTests: number;
    numFailedTests: number;
    numPendingTests: number;
    numFailedTestSuites: number;
    success: boolean;
  };
  // A file that fails to load fails its suite without a single failed test.
  const failures = report.success ? 0 : Math.max(1, report.numFailedTests);
  process.stdout.write(`${project}: ${report.numPassedTests} passed, ${failures} failed\n`);
  passed += report.numPassedTests;
  failed += failures;
}
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exitCode = failed > 0 ? 1 : 0;
