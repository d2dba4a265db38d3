import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import type { Report } from "@safe-deploy/report";
import { describe, expect, test } from "vitest";
import { writeReport } from "../../src/report/report-folder.ts";
import { temporaryFolder } from "../fixtures/files.ts";

const report: Report = {
  schemaVersion: 1,
  kind: "deploy",
  release: "myapp",
  namespace: "shop",
  startedAt: "2026-03-01T12:00:00.000Z",
  verdict: { result: "verified", summary: "myapp runs v2." },
  timeline: [],
};

describe("a report is written", () => {
  test("into the folder that was asked for, in three forms, for its owner alone", async () => {
    const folder = path.join(await temporaryFolder(), "deep", "here");
    expect(await writeReport(report, folder)).toBe(path.join(folder, "report.html"));
    expect((await readdir(folder)).toSorted()).toEqual(["report.html", "report.json", "report.md"]);
    expect(JSON.parse(await readFile(path.join(folder, "report.json"), "utf8"))).toEqual(report);
    expect(await readFile(path.join(folder, "report.md"), "utf8")).toContain("myapp runs v2.");
    expect((await stat(path.join(folder, "report.html"))).mode & 0o077).toBe(0);
  });

  test("over the one before", async () => {
    const folder = await temporaryFolder();
    await writeReport(report, folder);
    await writeReport({ ...report, verdict: { result: "failed", summary: "it is ill." } }, folder);
    expect(await readFile(path.join(folder, "report.html"), "utf8")).toContain("it is ill.");
    expect(await readdir(folder)).toHaveLength(3);
  });

  test("into a folder of its own in the state home, of which the newest 50 stay, whatever else is there", async () => {
    const state = await temporaryFolder();
    const home = path.join(state, "safe-deploy", "reports");
    const old = Array.from({ length: 60 }, (_, day) => `z-shop-200001${String(day + 10)}T000000.000Z`);
    for (const name of [...old, "mine"]) await mkdir(path.join(home, name), { recursive: true });
    const page = await writeReport(report, undefined, { XDG_STATE_HOME: state });
    expect(page).toBe(path.join(home, "shop-myapp-20260301T120000.000Z", "report.html"));
    const left = await readdir(home);
    expect(left).toHaveLength(51);
    expect(left).toContain("mine");
    expect(left).toContain(old.at(-1));
    expect(left).not.toContain(old[0]);
  });

  test("or not at all, when the folder cannot be made", async () => {
    const file = path.join(await temporaryFolder(), "file");
    await writeFile(file, "");
    await expect(writeReport(report, path.join(file, "folder"))).rejects.toThrow(/ENOTDIR/);
  });
});
