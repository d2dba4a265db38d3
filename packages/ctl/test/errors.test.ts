import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { KubeError } from "@safe-deploy/kube";
import { describe, expect, test } from "vitest";
import { catalogue, CtlError } from "../src/errors.ts";
import { ExitCode } from "../src/exit-codes.ts";
import { toCtlError } from "../src/output.ts";

const page = readFileSync(join(import.meta.dirname, "../../../docs/errors.md"), "utf8");

/** The cells of every table row whose first cell is like this. */
function rows(first: RegExp): string[][] {
  return page
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .map((line) =>
      line
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
    .filter(([cell]) => first.test(cell ?? ""));
}

describe("docs/errors.md", () => {
  test("lists every code with the exit code and the meaning that ctl has for it, and no other", () => {
    const documented = rows(/^`CTL_E_/).map(([code, exit, means]) => [code, exit, means]);
    const known = Object.entries(catalogue).map(([code, { exit, means }]) => [`\`${code}\``, String(exit), means]);
    expect(documented).toEqual(known);
  });

  test("says of each when it comes and what to do", () => {
    for (const [code, , , when, next] of rows(/^`CTL_E_/)) {
      expect(when?.length, code).toBeGreaterThan(20);
      expect(next?.length, code).toBeGreaterThan(5);
    }
  });

  test("lists every exit code", () => {
    const documented = rows(/^\d+$/).map(([exit]) => Number(exit));
    expect(documented).toEqual(Object.values(ExitCode));
  });
});

test("every code of the catalogue is used", () => {
  const sources = readdirSync(join(import.meta.dirname, "../src"), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts") && file !== "errors.ts")
    .map((file) => readFileSync(join(import.meta.dirname, "../src", file), "utf8"))
    .join("\n");
  for (const code of Object.keys(catalogue)) expect(sources).toContain(`"${code}"`);
});

describe("whatever is thrown becomes an error with a code", () => {
  test("a known one stays what it is, interrupted or not", () => {
    const known = new CtlError("CTL_E_LOCKED", "held", { next: "ctl wait" });
    expect(toCtlError(known, true)).toBe(known);
    expect(known).toMatchObject({ exit: 3, next: "ctl wait" });
  });

  test("a refusal of the API server is a missing right, everything else of it the cluster's", () => {
    const refused = new KubeError("cannot list pods", { status: 403, reason: "Forbidden", hint: "add a rule" });
    expect(toCtlError(refused, false)).toMatchObject({ code: "CTL_E_FORBIDDEN", exit: 3, next: "add a rule" });
    const silent = new KubeError("nothing listens", { reason: "Unreachable", hint: "check the address" });
    expect(toCtlError(silent, false)).toMatchObject({ code: "CTL_E_CLUSTER", exit: 1, next: "check the address" });
  });

  test("after Ctrl-C it is the interruption, with its cause", () => {
    const abort = new DOMException("aborted", "AbortError");
    expect(toCtlError(abort, true)).toMatchObject({ code: "CTL_E_INTERRUPTED", exit: 130, cause: abort });
  });

  test("what nobody expected is not dressed up", () => {
    const bug = new TypeError("x is undefined");
    expect(() => toCtlError(bug, false)).toThrow(bug);
  });
});
