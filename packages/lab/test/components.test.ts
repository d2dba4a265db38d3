import { expect, test } from "vitest";
import { resolveLab } from "../src/identity.ts";
import { components } from "../src/node/components.ts";

const all = components(resolveLab({ LAB_HOME: "/labs", LAB_NAME: "one" }), "10.77.3.2", "/kube");

test("kube-proxy starts without the table that an earlier one left, whether there is one or not", () => {
  const { beforeStart } = all["kube-proxy"];
  expect(beforeStart).toMatchObject({ program: "nft", args: ["-f", "-"] });
  // Deleting a table that is not there is an error to nft, and adding one that is there is none.
  expect(beforeStart?.input.trim().split("\n")).toEqual(["add table ip kube-proxy", "delete table ip kube-proxy"]);
});

test("nothing else is prepared: what runs keeps its state over a start", () => {
  const prepared = Object.values(all).filter(({ beforeStart }) => beforeStart !== undefined);
  expect(prepared.map(({ name }) => name)).toEqual(["kube-proxy"]);
});
