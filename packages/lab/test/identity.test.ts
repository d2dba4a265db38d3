import { describe, expect, test } from "vitest";
import { LabError } from "../src/errors.ts";
import { resolveLab } from "../src/identity.ts";

describe("a lab", () => {
  test("is named after its checkout, always the same", () => {
    const first = resolveLab({ LAB_HOME: "/l" }, "/home/a/project");
    expect(first.name).toMatch(/^lab-[0-9a-f]{6}$/);
    expect(resolveLab({ LAB_HOME: "/l" }, "/home/a/project")).toEqual(first);
  });

  test("shares nothing that is global on the machine with another checkout's", () => {
    const first = resolveLab({ LAB_HOME: "/l" }, "/home/a/project");
    const second = resolveLab({ LAB_HOME: "/l" }, "/home/b/project");
    for (const key of ["name", "state", "registryData", "kubeconfig", "netns", "cgroup"] as const) {
      expect(second[key]).not.toBe(first[key]);
    }
    expect(second.links.host).not.toBe(first.links.host);
  });

  test("has link names that the kernel accepts, however long its own name is", () => {
    const { links } = resolveLab({ LAB_HOME: "/l", LAB_NAME: "a".repeat(40) });
    for (const name of Object.values(links)) expect(name.length).toBeLessThanOrEqual(15);
    expect(links.host).not.toBe(links.node);
  });

  test.each(["Upper", "under_score", "-dash", "dash-", "a/b", "a b", "é", "a".repeat(41)])(
    "is not named %j",
    (name) => {
      expect(() => resolveLab({ LAB_HOME: "/l", LAB_NAME: name })).toThrow(LabError);
    },
  );

  test("refuses a state directory in which a unix socket would not fit", () => {
    expect(() => resolveLab({ LAB_HOME: `/${"d".repeat(90)}` })).toThrow("too long a path");
  });

  test("keeps its state where LAB_HOME or the XDG directory say", () => {
    expect(resolveLab({ LAB_HOME: "/l", LAB_NAME: "x" }).state).toBe("/l/x");
    expect(resolveLab({ XDG_STATE_HOME: "/s", LAB_NAME: "x" }).state).toBe("/s/safe-deploy/x");
  });
});
