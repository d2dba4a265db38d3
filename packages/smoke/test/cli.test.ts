import { execFile, spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { json, serve } from "./server.ts";

const packageDirectory = new URL("..", import.meta.url);
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "smoke-test-"));
  await promisify(execFile)(process.execPath, ["build.ts"], { cwd: packageDirectory });
});
afterAll(() => rm(directory, { recursive: true }));

function start(...args: string[]) {
  return spawn(process.execPath, [new URL("dist/smoke.mjs", packageDirectory).pathname, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
}

async function ended(child: ReturnType<typeof start>) {
  const code = new Promise<number | null>((resolve) => child.once("close", resolve));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { code: await code, stdout, stderr };
}

async function checksFile(content: string): Promise<string> {
  const file = path.join(directory, "checks.yaml");
  await writeFile(file, content);
  return file;
}

const UP = "checks: [{ name: up, request: { path: /healthz }, repeat: { times: 3 } }]";

describe("the built program", () => {
  test("exits 0 when every check passed, with the report on stdout and nothing on stderr", async () => {
    await using server = await serve(json(200, {}));
    const { code, stdout, stderr } = await ended(start("run", await checksFile(UP), "--base-url", server.baseUrl));
    expect(stdout).toMatch(/^ok {6}up: 3 of 3 requests passed/);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(server.requests).toHaveLength(3);
  });

  test("exits 6 when a check failed, with one JSON document on stdout and progress on stderr", async () => {
    await using server = await serve(json(500, { why: "broken" }));
    const file = await checksFile(UP);
    const { code, stdout, stderr } = await ended(start("run", file, "--base-url", server.baseUrl, "-o", "json"));
    expect(code).toBe(6);
    expect(JSON.parse(stdout)).toMatchObject({
      schemaVersion: 1,
      outcome: "failed",
      checks: [{ name: "up", failure: { response: { status: 500, body: '{"why":"broken"}' } } }],
    });
    expect(stderr).toContain("FAILED  up: 0 of 3 requests passed");
  });

  test("writes the report to a file and text to stdout", async () => {
    await using server = await serve(json(200, {}));
    const out = path.join(directory, "junit.xml");
    const args = ["run", await checksFile(UP), "--base-url", server.baseUrl, "-o", "junit", "--output-file", out];
    const { code, stdout } = await ended(start(...args));
    expect(code).toBe(0);
    expect(stdout).toContain("passed: 1 of 1 checks passed");
    expect(await readFile(out, "utf8")).toContain('<testcase name="up"');
  });

  test("exits 4 when the deadline passed", async () => {
    await using server = await serve(() => {});
    const file = await checksFile(`deadline: 50ms\n${UP}`);
    const { code, stdout } = await ended(start("run", file, "--base-url", server.baseUrl));
    expect(code).toBe(4);
    expect(stdout).toContain("FAILED: the deadline of 50 ms passed: 0 of 1 checks passed");
  });

  test.each(["SIGINT", "SIGTERM"] as const)("exits 130 on %s, still with a report", async (signal) => {
    const asked = Promise.withResolvers<void>();
    await using server = await serve(() => asked.resolve());
    const child = start("run", await checksFile(UP), "--base-url", server.baseUrl);
    const end = ended(child);
    await asked.promise;
    child.kill(signal);
    const { code, stdout } = await end;
    expect(code).toBe(130);
    expect(stdout).toContain("not run up: interrupted while this check ran");
  });

  test.each<[string, string[], string]>([
    ["checks that cannot be used", ["run", "CHECKS", "--base-url", "http://x"], "checks: is empty"],
    ["a file that is not there", ["run", "/nowhere/checks.yaml", "--base-url", "http://x"], "cannot read /nowhere"],
    ["no base URL", ["run", "CHECKS"], "required option '--base-url <url>' not specified"],
    [
      "an unknown format",
      ["run", "CHECKS", "--base-url", "http://x", "-o", "xml"],
      "Allowed choices are text, json, junit",
    ],
    ["an unknown command", ["walk"], "unknown command 'walk'"],
  ])("exits 2 on %s, before anything is sent", async (_name, args, message) => {
    const file = await checksFile("checks: []");
    const { code, stdout, stderr } = await ended(start(...args.map((arg) => (arg === "CHECKS" ? file : arg))));
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(message);
  });

  test.each<[string, string[], string]>([
    ["a base URL that is none", ["--base-url", "myapp:80"], 'The base URL "myapp:80" is no http or https address'],
    [
      "a report file with no place",
      ["--base-url", "http://x", "--output-file", "/nowhere/a"],
      "cannot write /nowhere/a",
    ],
  ])("exits 2 on %s", async (_name, args, message) => {
    const { code, stderr } = await ended(start("run", await checksFile(UP), ...args));
    expect(code).toBe(2);
    expect(stderr).toContain(message);
  });

  test("names its exit codes in --help", async () => {
    const { code, stdout } = await ended(start("run", "--help"));
    expect(code).toBe(0);
    expect(stdout).toMatch(/Exit codes:[^]*130 {2}interrupted/);
  });
});
