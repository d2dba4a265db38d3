import { defineConfig } from "vitest/config";
import { defineProject, reported } from "../vitest.shared.ts";
import { isFull } from "./src/full-run.ts";

const alone = ["test/alone/**/*.test.ts"];
/** Whole files that only the full run has. */
const fullOnly = isFull ? [] : ["agent", "sequential-by-pods", "verdict-tls"].map((name) => `test/${name}.test.ts`);
/** A test may take as long as a deploy and its way back. */
const patience = { testTimeout: 300_000, hookTimeout: 300_000 };

/**
 * One cluster for all. Files that keep to their own namespaces run two at a time, since most of a deploy is waiting;
 * then, one by one, those that end a part of the cluster or judge it by its latency.
 */
export default defineConfig({
  test: {
    ...reported,
    globalSetup: "src/setup.ts",
    projects: [
      defineProject("e2e", {
        ...patience,
        exclude: [...alone, ...fullOnly],
        maxWorkers: 2,
        sequence: { groupOrder: 0 },
      }),
      defineProject("e2e-alone", {
        ...patience,
        include: alone,
        fileParallelism: false,
        sequence: { groupOrder: 1 },
      }),
    ],
  },
});
