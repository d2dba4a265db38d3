import { addonOf, profiles, type AddonName } from "../addons/catalog.ts";
import { areReady, readWorkloads } from "../addons/install.ts";
import { chooseBackend } from "../backend.ts";
import { exitCodes } from "../errors.ts";
import { resolveLab, type Lab } from "../identity.ts";
import { readNodeStatus, type NodeStatus } from "../node/status.ts";

/** Prints what runs; returns 0 if everything does. */
export async function status(o: { output: "text" | "json" }): Promise<number> {
  const lab = resolveLab();
  const backend = chooseBackend(process.env, lab);
  const found = backend.kind === "node" ? await ownStatus(lab) : await externalStatus(backend.kubeconfig);
  const { text, ...result } = found;
  const document = { schemaVersion: 1, backend: backend.kind, ...result };
  process.stdout.write(o.output === "json" ? `${JSON.stringify(document, undefined, 2)}\n` : `${text}\n`);
  return found.ready ? exitCodes.done : exitCodes.unexpected;
}

async function ownStatus(lab: Lab) {
  const node = await readNodeStatus(lab);
  const addons = node.whyNotReady === undefined ? await addonStatuses(lab) : [];
  const ready = node.whyNotReady === undefined && addons.every((addon) => addon.state !== "not ready");
  const text = [renderNode(lab.name, node), ...addons.map(({ title, state }) => `  add-on ${title}: ${state}`)].join(
    "\n",
  );
  return { name: lab.name, kubeconfig: lab.kubeconfig, ready, node, addons, text };
}

type AddonStatus = { name: AddonName; title: string; state: "ready" | "not ready" | "not installed" };

async function addonStatuses(lab: Lab): Promise<AddonStatus[]> {
  const { Kube } = await import("@safe-deploy/kube");
  const kube = await Kube.connect({ kubeconfig: lab.kubeconfig });
  // Definitions run nothing.
  const running = profiles.all.filter((name) => addonOf(name).deployment !== undefined);
  return await Promise.all(
    running.map(async (name) => {
      const addon = addonOf(name);
      const state = await readWorkloads(kube, addon);
      const word = state === undefined ? "not installed" : areReady(addon, state) ? "ready" : "not ready";
      return { name, title: addon.title, state: word } as const;
    }),
  );
}

/** Throws if the cluster does not answer. */
async function externalStatus(kubeconfig: string | undefined) {
  const { Kube } = await import("@safe-deploy/kube");
  const kube = await Kube.connect({ kubeconfig });
  const { gitVersion } = (await kube.raw("GET", "/version")) as { gitVersion: string };
  return {
    kubeconfig,
    ready: true,
    server: kube.server,
    version: gitVersion,
    text: `a cluster that the lab did not make: Kubernetes ${gitVersion} at ${kube.server}`,
  };
}

function renderNode(name: string, node: NodeStatus): string {
  const rows = node.components.map((component) => [
    component.name,
    component.state,
    component.pid === undefined ? "-" : String(component.pid),
    component.reason ?? `since ${component.startedAt}`,
  ]);
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]!.length)));
  const table = rows.map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")}`);
  return [
    `lab ${name}${node.address ? ` at ${node.address}` : ""}: ${node.whyNotReady ?? "node Ready"}`,
    ...table.map((line) => line.trimEnd()),
  ].join("\n");
}
