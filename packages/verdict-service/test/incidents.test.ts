import { expect, test } from "vitest";
import { type Endings, incidentsOf } from "../src/incidents.ts";
import { pod, type PodOptions } from "./fixtures.ts";

const since = Date.parse("2026-01-01T00:00:00Z");
const before = since - 60_000;
const after = since + 60_000;
const canary = (o: PodOptions) => pod("canary-1", "new", "10.0.0.1", o);

test.each([
  [{ exitCode: 137, reason: "OOMKilled" }, "outOfMemory", "container app ended with exit code 137, OOMKilled"],
  [{ exitCode: 1, reason: "Error" }, "crash", "container app ended with exit code 1"],
  [{ exitCode: 0, reason: "Completed" }, "restart", "container app ended with exit code 0, Completed"],
] as const)("%j is %s", (ended, kind, message) => {
  expect(incidentsOf([canary({ createdAt: after, restarts: 1, ended })], {}, since)).toEqual([
    { kind, pod: "canary-1", message },
  ]);
});

test("what a pod went through before the attempt is not held against it, and nothing is told twice", () => {
  const endings: Endings = {};
  expect(incidentsOf([canary({ createdAt: before, restarts: 2 })], endings, since)).toEqual([]);
  expect(incidentsOf([canary({ createdAt: before, restarts: 3 })], endings, since)).toHaveLength(1);
  expect(incidentsOf([canary({ createdAt: before, restarts: 3 })], endings, since)).toEqual([]);
});

test("a pod that is told to stop ends its containers in order", () => {
  const stopping = canary({ createdAt: after, restarts: 1, ended: { exitCode: 143 }, deleted: true });
  expect(incidentsOf([stopping], {}, since)).toEqual([]);
});
