import { Kube } from "@safe-deploy/kube";
import { checkAddons } from "../addons/check.ts";
import { type Profile } from "../addons/catalog.ts";
import { installAddons, programsOf } from "../addons/install.ts";
import { chooseBackend } from "../backend.ts";
import { LabError, exitCodes } from "../errors.ts";
import { resolveLab, type Lab } from "../identity.ts";
import { ensureProgramImage } from "../images/binary-image.ts";
import { Registry } from "../images/registry.ts";
import { takeLock } from "../lock.ts";
import { findProblems, installPackages, missingPackages, readMachine, refuseIf } from "../machine/requirements.ts";
import { registryPort } from "../node/config-files.ts";
import { startNode } from "../node/start.ts";
import { isAnyRunning } from "../node/status.ts";
import type { ToolName } from "../toolchain/catalog.ts";
import { missingTools, startTools } from "../toolchain/tools.ts";
import { commandProgress } from "./progress.ts";

export type UpOptions = { install?: boolean; addons: Profile };

/** Starts or heals the lab; of a cluster that the lab did not make it checks the add-ons. */
export async function up(o: UpOptions): Promise<void> {
  const lab = resolveLab();
  const backend = chooseBackend(process.env, lab);
  await (backend.kind === "external" ? checkExternal(backend.kubeconfig, o.addons) : upNode(lab, o));
}

async function upNode(lab: Lab, o: UpOptions): Promise<void> {
  const labRuns = isAnyRunning(lab);
  const progress = labRuns
    ? commandProgress("up", { "node is Ready": 3 }, "heal")
    : commandProgress("up", { "kube-apiserver answers": 5, "node is Ready": 8, "add-ons are ready": 40 });
  const missing = missingPackages();
  if (o.install && missing.length > 0) {
    await progress.step(`installed ${missing.join(" ")}`, () => installPackages(missing));
  }
  // The node's own, and what people use in front of it; then what runs in pods.
  const names = ["pause", "kube", "kubectl", "helm", ...programsOf(o.addons)] as const satisfies ToolName[];
  const toCompile = await missingTools(names);
  refuseIf(
    findProblems(await readMachine({ directory: lab.state, toCompile: toCompile.map(({ name }) => name), labRuns })),
  );
  progress.expect(toCompile.reduce((sum, { seconds }) => sum + seconds, 0));
  using _lock = await takeLock(lab.name, {
    purpose: "lab up",
    deadlineSeconds: 1800,
    onWait: (holder) => progress.note(`waiting for ${holder} to end`),
  });
  const tools = startTools(names, { onProgress: (line) => progress.note(line) });
  const node = await startNode(lab, tools.kube, progress);
  const addons = (async () => {
    const registry = new Registry(`${node.nodeIp}:${registryPort}`);
    await node.registryReady;
    // Without it no pod starts.
    await ensureProgramImage(registry, "pause", tools.pause);
    await node.apiReady;
    const kube = await Kube.connect({ kubeconfig: lab.kubeconfig, fieldManager: "lab" });
    const step = async (name: string, work: () => Promise<void>) => await progress.step(name, work);
    await installAddons({ kube, registry, profile: o.addons, tools, step });
  })();
  await Promise.all([node.nodeReady, addons, tools.kubectl, tools.helm]);
  progress.reached("add-ons are ready");
  progress.save();
  process.stderr.write('kubectl and helm reach it after: eval "$(make env)"\n');
  process.stdout.write(`${lab.name} is up at ${node.nodeIp}\n`);
}

async function checkExternal(kubeconfig: string | undefined, profile: Profile): Promise<void> {
  const kube = await Kube.connect({ kubeconfig });
  const checked = await checkAddons(kube, profile);
  for (const { title, present } of checked) {
    process.stdout.write(`${present ? "present" : "missing"}  ${title}\n`);
  }
  const missing = checked.filter(({ present }) => !present);
  if (missing.length === 0) return;
  throw new LabError(
    `the cluster at ${kube.server} lacks ${missing.map(({ title }) => title).join(", ")}, and the lab changes no cluster that it did not make. Install with:\n${missing.map(({ install }) => `  ${install}`).join("\n")}`,
    { hint: "`lab up --addons core` asks only for what plain mode needs.", exitCode: exitCodes.refused },
  );
}
