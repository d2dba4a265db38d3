import { chooseBackend } from "../backend.ts";
import { exitCodes } from "../errors.ts";
import { resolveLab } from "../identity.ts";
import { readNodeStatus, type NodeStatus } from "../node/status.ts";

/** Prints what runs; returns 0 if everything does. */
export async function status(o: { output: "text" | "json" }): Promise<number> {
  const lab = resolveLab();
  const backend = chooseBackend(process.env, lab);
  const node = backend.kind === "node" ? await readNodeStatus(lab) : undefined;
  const ready = node === undefined || node.whyNotReady === undefined;
  const result = { schemaVersion: 1, name: lab.name, backend: backend.kind, kubeconfig: lab.kubeconfig, ready, node };
  process.stdout.write(
    o.output === "json" ? `${JSON.stringify(result, undefined, 2)}\n` : `${renderNode(lab.name, node)}\n`,
  );
  return ready ? exitCodes.done : exitCodes.unexpected;
}

export function renderNode(name: string, node: NodeStatus | undefined): string {
  if (!node) return "";
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
