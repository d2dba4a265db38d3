import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync, readlinkSync } from "node:fs";
import path from "node:path";

/**
 * What a lab can leave on its machine: sorted lines per kind, each naming one thing.
 * Processes are those that outlive the command that started them (their parent is init) or live in
 * namespaces other than the reader's; short-lived commands of other people are no leftovers.
 */
export type MachineState = Record<
  "processes" | "mounts" | "links" | "addresses" | "routes" | "nftables" | "cgroups" | "netns" | "sockets" | "settings",
  string[]
>;

const kernelSettings = [
  "vm/overcommit_memory",
  "vm/panic_on_oom",
  "kernel/panic",
  "kernel/panic_on_oops",
  "kernel/keys/root_maxkeys",
  "kernel/keys/root_maxbytes",
  "net/ipv4/ip_forward",
  "net/netfilter/nf_conntrack_max",
];

/** Directories whose content programs of a node keep outside any lab's own directory unless told otherwise. */
const sharedDirectories = [
  "/run/containerd",
  "/var/lib/cni",
  "/var/lib/kubelet",
  "/var/log/containers",
  "/var/log/pods",
];

/** Reads the machine's state. Needs root: nft and other users' namespaces are not readable otherwise. */
export function readMachineState(): MachineState {
  const state: MachineState = {
    processes: processes(),
    mounts: lines(readFileSync("/proc/self/mountinfo", "utf8")).map((line) => {
      const [before = "", after = ""] = line.split(" - ");
      return `${before.split(" ")[4]} ${after.split(" ").slice(0, 2).join(" ")}`;
    }),
    links: lines(output("ip", "-brief", "link")).map((line) => line.split(/\s+/)[0] ?? ""),
    addresses: lines(output("ip", "-oneline", "addr")).map((line) => line.split(/\s+/).slice(1, 4).join(" ")),
    routes: lines(output("ip", "-4", "route", "show", "table", "all")),
    nftables: lines(output("nft", "--stateless", "list", "ruleset")),
    cgroups: cgroupRoots().flatMap(directoriesBelow),
    netns: list("/run/netns"),
    sockets: sharedDirectories.flatMap(filesBelow),
    settings: kernelSettings
      .filter((name) => existsSync(path.join("/proc/sys", name)))
      .map((name) => `${name} = ${readFileSync(path.join("/proc/sys", name), "utf8").trim()}`),
  };
  for (const kind of Object.values(state)) kind.sort();
  return state;
}

/**
 * Lines "+ kind: what" for what is new in `after` and "- kind: what" for what it lacks; empty when both are alike.
 * `except` names what changes for other reasons, such as another lab that starts meanwhile.
 */
export function compareMachineStates(before: MachineState, after: MachineState, except?: RegExp): string[] {
  const differences = (Object.keys(before) as (keyof MachineState)[]).flatMap((kind) => [
    ...subtract(after[kind], before[kind]).map((line) => `+ ${kind}: ${line}`),
    // A process of somebody else may have ended meanwhile.
    ...(kind === "processes" ? [] : subtract(before[kind], after[kind]).map((line) => `- ${kind}: ${line}`)),
  ]);
  return except ? differences.filter((line) => !except.test(line)) : differences;
}

function subtract(lines: string[], from: string[]): string[] {
  const counts = new Map<string, number>();
  for (const line of from) counts.set(line, (counts.get(line) ?? 0) + 1);
  return lines.filter((line) => {
    const count = counts.get(line) ?? 0;
    counts.set(line, count - 1);
    return count <= 0;
  });
}

function processes(): string[] {
  const own = namespaces("self");
  return list("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
        const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
        const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
        // Kernel threads have no command line; a zombie is its parent's to bury.
        if (!command || state === "Z") return [];
        return parent === "1" || namespaces(pid) !== own ? [`${pid} in ${cgroup(pid)}: ${command.slice(0, 200)}`] : [];
      } catch {
        // It ended while it was being looked at.
        return [];
      }
    });
}

/** The deepest of the process's cgroups: the one that says whose it is. */
function cgroup(pid: string): string {
  const paths = lines(readFileSync(`/proc/${pid}/cgroup`, "utf8")).map((line) => line.split(":").at(-1) ?? "");
  return paths.toSorted((a, b) => b.length - a.length)[0] ?? "";
}

function namespaces(pid: string): string {
  return ["net", "mnt", "pid"].map((kind) => readlinkSync(`/proc/${pid}/ns/${kind}`)).join(" ");
}

function cgroupRoots(): string[] {
  return lines(readFileSync("/proc/self/mountinfo", "utf8"))
    .filter((line) => / - cgroup2? /.test(line))
    .map((line) => line.split(" ")[4] ?? "");
}

function directoriesBelow(directory: string): string[] {
  return entries(directory)
    .filter((entry) => entry.isDirectory())
    .flatMap((entry) => {
      const child = path.join(directory, entry.name);
      return [child, ...directoriesBelow(child)];
    });
}

function filesBelow(directory: string): string[] {
  return entries(directory).flatMap((entry) => {
    const child = path.join(directory, entry.name);
    return entry.isDirectory() ? filesBelow(child) : [child];
  });
}

function entries(directory: string) {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch {
    return [];
  }
}

function list(directory: string): string[] {
  return entries(directory).map((entry) => entry.name);
}

function output(program: string, ...args: string[]): string {
  return execFileSync(program, args, { encoding: "utf8" });
}

function lines(text: string): string[] {
  return text.split("\n").filter(Boolean);
}
