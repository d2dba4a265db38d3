import { describe, expect, test } from "vitest";
import { readSettings } from "../lib/settings.ts";

const defaults = { rate: 50, duration: "30s", paths: "/version" };

describe("a scenario's settings", () => {
  test("come from the environment, and from the scenario where that says nothing", () => {
    expect(readSettings({ BASE_URL: "http://127.0.0.1:8080/" }, defaults)).toEqual({
      baseUrl: "http://127.0.0.1:8080",
      rate: 50,
      durationSeconds: 30,
      paths: ["/version"],
      headers: {},
      connections: "new",
    });
    const env = { BASE_URL: "https://a.b/c", RATE: "7", DURATION: "1h2m3s", PATHS: "/a, /b?x=1", CONNECTIONS: "reuse" };
    const headers = { HEADERS: "Host: a.example.com:8080\n\nX-Canary:true" };
    expect(readSettings({ ...env, ...headers }, defaults)).toEqual({
      baseUrl: "https://a.b/c",
      rate: 7,
      durationSeconds: 3723,
      paths: ["/a", "/b?x=1"],
      headers: { host: "a.example.com:8080", "x-canary": "true" },
      connections: "reuse",
    });
  });

  test.each([
    ["BASE_URL", ""],
    ["BASE_URL", "ftp://a"],
    ["BASE_URL", "http://a/?b=1"],
    ["RATE", "0"],
    ["RATE", "1.5"],
    ["RATE", "many"],
    ["RATE", ""],
    ["DURATION", "30"],
    ["DURATION", ""],
    ["DURATION", "0s"],
    ["DURATION", "25h"],
    ["PATHS", "a"],
    ["PATHS", "/a,"],
    ["HEADERS", "host"],
    ["HEADERS", "host:"],
    ["HEADERS", "ho st: a"],
    ["HEADERS", "host: a\rx: b"],
    ["CONNECTIONS", "some"],
  ])("are refused with %s=%j", (name, value) => {
    const env = { BASE_URL: "http://a", [name]: value };
    expect(() => readSettings(env, defaults)).toThrow(`The load cannot start:\n  ${name} `);
  });
});
