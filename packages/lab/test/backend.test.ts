import { expect, test } from "vitest";
import { chooseBackend } from "../src/backend.ts";
import { resolveLab } from "../src/identity.ts";

const lab = resolveLab({ LAB_HOME: "/labs", LAB_NAME: "one" });

test("without a KUBECONFIG the lab is this checkout's own node", () => {
  expect(chooseBackend({}, lab)).toEqual({ kind: "node" });
  expect(chooseBackend({ KUBECONFIG: "" }, lab)).toEqual({ kind: "node" });
});

test("the lab's own KUBECONFIG means the lab's own node", () => {
  expect(chooseBackend({ KUBECONFIG: "/labs/one/kubeconfig" }, lab)).toEqual({ kind: "node" });
});

test("any other KUBECONFIG means a cluster that the lab did not make", () => {
  const other = "/labs/two/kubeconfig";
  expect(chooseBackend({ KUBECONFIG: other }, lab)).toEqual({ kind: "external", kubeconfig: other });
});

test("LAB=external means the default kubeconfig", () => {
  expect(chooseBackend({ LAB: "external" }, lab)).toEqual({ kind: "external", kubeconfig: undefined });
});
