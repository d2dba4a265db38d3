import { deployArguments, faultValues } from "./app-release.ts";
import type { World } from "./world.ts";

/** A release that cannot become good. */
export interface FaultCase {
  name: string;
  /** The app's version; default v2, which is a good one. */
  version?: string;
  /** Arguments of `ctl deploy` and of `helm upgrade` that bring the fault in. */
  more: string[];
  /** Whether it can be seen before anything changes. */
  preflight: boolean;
  /** Words of the message that name the cause. */
  cause: RegExp;
}

export const faultCases: FaultCase[] = [
  {
    name: "an image that does not exist",
    version: "never-built",
    more: [],
    preflight: true,
    cause: /never-built|not found/,
  },
  {
    name: "a command that exits with 1",
    more: ["-f", faultValues("crash")],
    preflight: false,
    cause: /licence file is missing/,
  },
  {
    name: "too little memory at start",
    more: ["-f", faultValues("out-of-memory")],
    preflight: false,
    cause: /OOMKilled/,
  },
  {
    name: "readiness that never comes",
    // How soon it is found is up to the probe: without traffic and without a crash nothing else tells.
    more: ["--set-string", "config.FAULT_UNREADY=true", "--set", "probes.startup.failureThreshold=8"],
    preflight: false,
    cause: /probe failed/i,
  },
  {
    name: "a declared check that fails",
    more: ["--set-string", "flags.FEATURE_NEW=true"],
    preflight: false,
    cause: /new feature/,
  },
  {
    name: "a quota that is too small",
    more: ["--set", "resources.requests.cpu=900m,resources.limits.cpu=1"],
    preflight: true,
    cause: /quota/i,
  },
  {
    name: "config that the app refuses",
    more: ["--set-string", "config.BOOT_DELAY=soon"],
    preflight: false,
    cause: /BOOT_DELAY/,
  },
];

/** An empty namespace with the quota that one of the faults runs into, and version v1, verified. */
export async function prepareFaultNamespace(world: World, namespace: string): Promise<void> {
  await world.namespace(namespace);
  await world.apply({
    apiVersion: "v1",
    kind: "ResourceQuota",
    metadata: { name: "small", namespace },
    spec: { hard: { "requests.cpu": "600m" } },
  });
  await deployGood(world, namespace);
}

/** Deploys version v1, whatever was there; throws if it is not verified. */
export async function deployGood(world: World, namespace: string): Promise<void> {
  const good = await world.ctl(deployArguments(namespace, "v1"));
  if (good.code !== 0) throw new Error(`v1 was not verified (exit code ${good.code}):\n${good.stdout}\n${good.stderr}`);
}
