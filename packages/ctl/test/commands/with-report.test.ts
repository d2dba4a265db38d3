import { access, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import type { Report } from "@safe-deploy/report";
import { describe, expect, test, vi } from "vitest";
import { withReport } from "../../src/commands/with-report.ts";
import { CtlError } from "../../src/errors.ts";
import type { OperationReport } from "../../src/report/operation-report.ts";
import { deafContext } from "../fixtures/deaf-cluster.ts";
import { temporaryFolder } from "../fixtures/files.ts";

const paused: OperationReport = {
  schemaVersion: 1,
  kind: "deploy",
  release: "myapp",
  namespace: "shop",
  result: "paused",
  exit: 7,
  code: "CTL_E_PAUSED",
  summary: "paused: it waits at step 2",
  next: "ctl promote -n shop, or ctl abort -n shop",
  timeline: [],
};

function stderr(): string[] {
  const said: string[] = [];
  vi.spyOn(process.stderr, "write").mockImplementation((text) => said.push(String(text)) > 0);
  return said;
}

describe("an operation's report", () => {
  test("is written, and both forms of the output say where", async () => {
    const report = await temporaryFolder();
    const outcome = await withReport(deafContext(), { report }, "deploy", () => Promise.resolve(paused));
    const page = path.join(report, "report.html");
    expect(outcome).toMatchObject({ exit: 7, json: { result: "paused", report: page } });
    expect(outcome.text).toMatch(new RegExp(`^  report: +${page}$`, "m"));
    const written = JSON.parse(await readFile(path.join(report, "report.json"), "utf8")) as Report;
    expect(written).toMatchObject({
      verdict: { result: "paused", summary: "it waits at step 2", exit: 7, code: "CTL_E_PAUSED" },
      next: [{ command: "ctl promote -n shop" }, { command: "ctl abort -n shop" }],
    });
  });

  test("that cannot be written is a warning, and changes nothing else", async () => {
    const file = path.join(await temporaryFolder(), "file");
    await writeFile(file, "");
    const said = stderr();
    const outcome = await withReport(deafContext(), { report: path.join(file, "x") }, "deploy", () =>
      Promise.resolve(paused),
    );
    expect(outcome).toMatchObject({ exit: 7, json: paused });
    expect(outcome.json).not.toHaveProperty("report");
    expect(said.join("")).toMatch(/^ctl: no report could be written: .*ENOTDIR/);
  });

  test("is written about what was interrupted, too", async () => {
    const report = await temporaryFolder();
    const said = stderr();
    const run = () => Promise.reject(new CtlError("CTL_E_INTERRUPTED", "interrupted", { next: "ctl wait -n shop" }));
    await expect(withReport(deafContext(), { report }, "rollback", run)).rejects.toThrow("interrupted");
    expect(said.join("")).toContain(path.join(report, "report.html"));
    expect(await readFile(path.join(report, "report.md"), "utf8")).toContain("Interrupted");
  });

  test.each([
    ["nothing was done", () => Promise.resolve({ ...paused, result: "nothingToDo", exit: 0 } as const), undefined],
    ["it was refused", () => Promise.reject(new CtlError("CTL_E_PREFLIGHT", "refused")), "refused"],
  ])("is not written where %s", async (_, run, refusal) => {
    const report = path.join(await temporaryFolder(), "none");
    const outcome = withReport(deafContext(), { report }, "deploy", run);
    if (refusal === undefined) expect((await outcome).exit).toBe(0);
    else await expect(outcome).rejects.toThrow(refusal);
    await expect(access(report)).rejects.toThrow("ENOENT");
  });
});
