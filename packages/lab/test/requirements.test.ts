import { describe, expect, test } from "vitest";
import { LabError } from "../src/errors.ts";
import { findProblems, isGoRecentEnough, refuseIf, type MachineFacts } from "../src/machine/requirements.ts";

const gibibyte = 1024 ** 3;

const good: MachineFacts = {
  uid: 0,
  arch: "x64",
  platform: "linux",
  availableMemoryBytes: 8 * gibibyte,
  freeDiskBytes: 50 * gibibyte,
  directory: "/var/lib/lab",
  onOverlay: false,
  missingPackages: [],
  hasApt: true,
  toCompile: [],
  goVersion: undefined,
  labRuns: false,
};

function problem(change: Partial<MachineFacts>) {
  const problems = findProblems({ ...good, ...change });
  expect(problems).toHaveLength(1);
  return problems[0]!;
}

describe("a machine", () => {
  test("that has everything is accepted", () => {
    expect(findProblems(good)).toEqual([]);
  });

  test("without root is refused, and told about other clusters", () => {
    expect(problem({ uid: 1000 }).what).toContain("needs root");
    expect(problem({ uid: 1000 }).todo).toContain("KUBECONFIG");
  });

  test("of another architecture or system is refused", () => {
    expect(problem({ arch: "riscv64" }).what).toContain("riscv64");
    expect(problem({ platform: "darwin" }).what).toContain("darwin");
    expect(findProblems({ ...good, arch: "arm64" })).toEqual([]);
  });

  test("without Go is refused only if something must be compiled", () => {
    expect(findProblems({ ...good, goVersion: undefined, toCompile: [] })).toEqual([]);
    expect(problem({ toCompile: ["kube", "coredns"] }).what).toContain("kube, coredns must be compiled");
    expect(problem({ toCompile: ["kube"], goVersion: "1.22.1" }).what).toContain("this is Go 1.22.1");
    expect(findProblems({ ...good, goVersion: "1.26.8", toCompile: ["kube"] })).toEqual([]);
  });

  test("with too little memory or disk is refused with both figures", () => {
    expect(problem({ availableMemoryBytes: 2.5 * gibibyte }).what).toMatch(/2\.5 GiB.*4\.0 GiB/);
    expect(problem({ freeDiskBytes: 3 * gibibyte }).what).toMatch(/3\.0 GiB.*10\.0 GiB/);
  });

  test("whose memory and disk a running lab has taken is accepted for healing it", () => {
    expect(findProblems({ ...good, labRuns: true, availableMemoryBytes: gibibyte, freeDiskBytes: gibibyte })).toEqual(
      [],
    );
  });

  test("with missing packages is given the one line that installs them all", () => {
    const { what, todo } = problem({ missingPackages: ["runc", "etcd-server"] });
    expect(what).toContain("runc etcd-server");
    expect(todo).toContain("apt-get install --yes --no-install-recommends runc etcd-server");
    expect(problem({ missingPackages: ["runc"], hasApt: false }).todo).not.toContain("apt-get");
  });

  test("whose lab would lie on an overlay filesystem is refused", () => {
    expect(problem({ onOverlay: true }).todo).toContain("LAB_HOME");
  });
});

describe("a refusal", () => {
  const refuse = (change: Partial<MachineFacts>) => {
    try {
      refuseIf(findProblems({ ...good, ...change }));
    } catch (error) {
      return error as LabError;
    }
    throw new Error("nothing was refused");
  };

  test("lists every reason at once and ends the command with code 3", () => {
    const error = refuse({ uid: 1000, freeDiskBytes: 0, missingPackages: ["runc"] });
    expect(error).toBeInstanceOf(LabError);
    expect(error.exitCode).toBe(3);
    for (const words of ["3 reasons", "needs root", "apt-get install", "0.0 GiB"])
      expect(error.message).toContain(words);
  });

  test("for one reason is one sentence with what to do", () => {
    const error = refuse({ uid: 1000 });
    expect(error.message).not.toContain("\n");
    expect(error.hint).toContain("sudo");
    expect(error.exitCode).toBe(3);
  });

  test("does not happen without a reason", () => {
    expect(() => refuseIf([])).not.toThrow();
  });
});

test("Go's versions are compared as numbers", () => {
  expect(["1.26", "1.26.8", "1.100", "2.0"].map(isGoRecentEnough)).toEqual([true, true, true, true]);
  expect(["1.9", "1.25.9", undefined, "devel"].map(isGoRecentEnough)).toEqual([false, false, false, false]);
});
