import { existsSync, mkdirSync, readFileSync, readdirSync, rmdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { availableParallelism } from "node:os";
import { readMounts } from "./mounts.ts";

/** One mounted cgroup hierarchy. */
export type Hierarchy = { mountPoint: string; version: 1 | 2; controllers: string[] };

export function listHierarchies(): Hierarchy[] {
  return readMounts()
    .filter((mount) => (mount.type === "cgroup" || mount.type === "cgroup2") && mount.root === "/")
    .map((mount) => ({
      mountPoint: mount.target,
      version: mount.type === "cgroup2" ? 2 : 1,
      controllers: mount.type === "cgroup2" ? [] : mount.superOptions.filter((option) => option !== "rw"),
    }));
}

/** Makes the lab's cgroup in every hierarchy: the kubelet wants its cgroupRoot to exist. */
export function createCgroups(name: string): void {
  const hierarchies = listHierarchies();
  for (const hierarchy of hierarchies) {
    const directory = path.join(hierarchy.mountPoint, name);
    if (hierarchy.version === 2) enableControllers(hierarchy.mountPoint);
    mkdirSync(directory, { recursive: true });
    if (hierarchy.version === 2) enableControllers(directory);
    if (hierarchy.controllers.includes("cpuset")) inheritCpuset(hierarchy.mountPoint, directory);
    // Beside a compiler's many threads the pods would get one thread's share of the processor.
    if (hierarchy.controllers.includes("cpu")) {
      writeFileSync(path.join(directory, "cpu.shares"), String(1024 * availableParallelism()));
    }
  }
}

/**
 * Makes the cgroup of one component and returns its cgroup.procs: entering it marks a process, and all it starts,
 * as the lab's. It is for finding them, not for limiting them, and so lies in one hierarchy only.
 */
export function createComponentCgroup(name: string, component: string): string {
  const directory = path.join(trackingHierarchy(listHierarchies()).mountPoint, name, "components", component);
  mkdirSync(directory, { recursive: true });
  return path.join(directory, "cgroup.procs");
}

/** The processes in a cgroup, by its cgroup.procs; none if there is no such cgroup. */
export function readProcs(file: string): number[] {
  return readLines(file).map(Number);
}

/** Every process in the lab's cgroups: its components, their shims, the containers, whatever these started. */
export function listProcesses(name: string): number[] {
  const pids = new Set<number>();
  for (const directory of cgroupDirectories(name)) {
    for (const pid of readProcs(path.join(directory, "cgroup.procs"))) pids.add(pid);
  }
  return [...pids];
}

/** Removes the lab's cgroups; returns the directories that could not be removed. */
export function removeCgroups(name: string): string[] {
  const left: string[] = [];
  for (const directory of cgroupDirectories(name).toReversed()) {
    try {
      rmdirSync(directory);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") left.push(directory);
    }
  }
  return left;
}

/** The lab's cgroup directories in all hierarchies, parents before children. */
export function cgroupDirectories(name: string): string[] {
  return listHierarchies().flatMap((hierarchy) => descend(path.join(hierarchy.mountPoint, name)));
}

function descend(directory: string): string[] {
  if (!existsSync(directory)) return [];
  const children = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return [directory, ...children.flatMap((child) => descend(path.join(directory, child.name)))];
}

function trackingHierarchy(hierarchies: Hierarchy[]): Hierarchy {
  const hierarchy =
    hierarchies.find((candidate) => candidate.controllers.includes("pids")) ??
    hierarchies.find((candidate) => candidate.version === 2);
  if (!hierarchy) throw new Error("no cgroup hierarchy is mounted below /sys/fs/cgroup");
  return hierarchy;
}

function enableControllers(directory: string): void {
  const available = readLines(path.join(directory, "cgroup.controllers")).join(" ").split(" ").filter(Boolean);
  const enabled = readLines(path.join(directory, "cgroup.subtree_control")).join(" ").split(" ");
  const missing = available.filter((controller) => !enabled.includes(controller));
  if (missing.length === 0) return;
  writeFileSync(path.join(directory, "cgroup.subtree_control"), missing.map((name) => `+${name}`).join(" "));
}

/** A new cpuset of version 1 is empty, and no process can enter an empty one. */
function inheritCpuset(parent: string, directory: string): void {
  for (const file of ["cpuset.cpus", "cpuset.mems"]) {
    writeFileSync(path.join(directory, file), readFileSync(path.join(parent, file)));
  }
}

function readLines(file: string): string[] {
  try {
    return readFileSync(file, "utf8").split("\n").filter(Boolean);
  } catch {
    // The cgroup went away between listing and reading.
    return [];
  }
}
