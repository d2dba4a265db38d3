import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ConfigError, readConfig } from "../src/config.ts";
import { start } from "./processes.ts";

describe("readConfig", () => {
  it("has a default for everything", () => {
    expect(readConfig({})).toMatchObject({
      port: 8080,
      adminPort: 8081,
      featureNew: false,
      featureErrorRatio: 0.3,
      drainSeconds: 3,
    });
  });

  it("takes an empty variable as not set", () => {
    expect(readConfig({ PORT: "", APP_VERSION: " ", DB_DSN: "" })).toEqual(readConfig({}));
  });

  it("reads every dial", () => {
    const env = {
      FAULT_ERRORS: "GET /feature/new=0.3, /api/v1/notes=0.05,jobs=0.1,*=0",
      FAULT_LATENCY_MS: "250",
      FAULT_JOB_CRASHES: "0.5",
      FAULT_LEAK_MB_PER_S: "1.5",
      FAULT_CRASH_AFTER_S: "0",
      FAULT_UNREADY: "true",
      FAULT_SICK: "1",
      FAULT_SCENARIO: "flaky",
    };
    expect(readConfig(env).faults).toEqual({
      errors: { "GET /feature/new": 0.3, "/api/v1/notes": 0.05, jobs: 0.1, "*": 0 },
      jobCrashes: 0.5,
      latencyMs: 250,
      leakMbPerSecond: 1.5,
      crashAfterSeconds: 0,
      unready: true,
      sick: true,
      scenario: "flaky",
    });
  });

  it("turns the admin port off", () => {
    expect(readConfig({ ADMIN_PORT: "off" }).adminPort).toBeUndefined();
  });

  it.each([
    ["PORT", "70000"],
    ["PORT", "80.5"],
    ["HOST", "a b"],
    ["BOOT_DELAY", "-1"],
    ["BOOT_DELAY", "soon"],
    ["FEATURE_NEW", "yes"],
    ["FEATURE_ERROR_RATIO", "30"],
    ["LOG_LEVEL", "loud"],
    ["APP_VERSION", "1.0\r\nx: y"],
    ["DRAIN_SECONDS", "Infinity"],
    ["FAULT_SCENARIO", "moody"],
    ["FAULT_ERRORS", "/nowhere=0.5"],
    ["FAULT_ERRORS", "FETCH /version=0.5"],
    ["FAULT_ERRORS", "/version"],
    ["FAULT_ERRORS", "/version=2"],
    ["FAULT_ERRORS", "/live=1"],
    ["FAULT_ERROR", "/version=1"],
    ["FAULT_ERRORS", "GET jobs=1"],
    ["FAULT_JOB_CRASHES", "2"],
    ["WORKER_CONCURRENCY", "1.5"],
    ["WORKER_CONCURRENCY", "0"],
    ["WORKER_DRAIN_SECONDS", "0"],
    ["ADMIN_PORT", "8080"],
  ])("refuses %s=%s and names the variable", (name, value) => {
    expect(() => readConfig({ [name]: value })).toThrow(new RegExp(`1 problem .*\n  ${name}`, "s"));
  });

  it("leaves the variables of Kubernetes Services alone", () => {
    expect(() =>
      readConfig({ FAULT_API_SERVICE_HOST: "10.0.0.1", FAULT_API_PORT_80_TCP: "tcp://10.0.0.1:80" }),
    ).not.toThrow();
  });

  it("reports as many problems as there are wrong variables, whatever the combination", () => {
    const wrong = {
      PORT: "x",
      BOOT_DELAY: "x",
      FEATURE_NEW: "x",
      LOG_LEVEL: "x",
      DB_DSN: "x",
      FAULT_SICK: "x",
      FAULT_ERRORS: "x",
    };
    fc.assert(
      fc.property(fc.subarray(Object.entries(wrong), { minLength: 1 }), (chosen) => {
        try {
          readConfig(Object.fromEntries(chosen));
          return false;
        } catch (error) {
          return error instanceof ConfigError && error.problems.length === chosen.length;
        }
      }),
    );
  });
});

describe("the process with a wrong configuration", () => {
  it("ends with code 2, lists every problem, shows no secret, and never listens", async () => {
    const env = { PORT: "eighty", FEATURE_ERROR_RATIO: "lots", DB_DSN: "mysql://root:hunter2@db/x" };
    const { code, stdout, stderr } = await start("server", [], env).finished;
    expect(code).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toContain('PORT="eighty": want a port number');
    expect(stderr).toContain('FEATURE_ERROR_RATIO="lots": want a number from 0 to 1');
    expect(stderr).toContain("DB_DSN (value not shown)");
    expect(stderr).not.toContain("hunter2");
  });
});
