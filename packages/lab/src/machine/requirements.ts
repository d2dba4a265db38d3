import { existsSync, readFileSync, statfsSync } from "node:fs";
import path from "node:path";
import { run } from "../command.ts";
import { LabError, exitCodes, refusal } from "../errors.ts";

/** A program the lab runs (or, with a slash, a file it needs) and the Debian package that brings it. */
const packages: Record<string, string[]> = {
  containerd: ["containerd"],
  runc: ["runc"],
  "containernetworking-plugins": ["bridge", "host-local", "loopback", "portmap"].map((name) => `/usr/lib/cni/${name}`),
  iptables: ["iptables"],
  nftables: ["nft"],
  iproute2: ["ip"],
  conntrack: ["conntrack"],
  "etcd-server": ["etcd"],
  "docker-registry": ["docker-registry"],
  buildah: ["buildah"],
  openssl: ["openssl"],
  "util-linux": ["nsenter", "unshare", "flock"],
};

const gibibyte = 1024 ** 3;
const neededMemory = 4 * gibibyte;
const neededDisk = 10 * gibibyte;

/** What decides whether a lab can run here. */
export type MachineFacts = {
  uid: number;
  /** As in process.arch. */
  arch: string;
  platform: string;
  availableMemoryBytes: number;
  freeDiskBytes: number;
  /** Where the images and the state of containers go. */
  directory: string;
  /** Whether that directory lies on an overlay filesystem, on which containers cannot have their own. */
  onOverlay: boolean;
  missingPackages: string[];
  hasApt: boolean;
  /** Binaries that must be compiled, because neither the cache nor PATH has them. */
  toCompile: string[];
  /** As `go version` tells it, e.g. "1.26.8"; undefined without Go. */
  goVersion: string | undefined;
  /** A lab that already runs has taken its memory and disk: only what starts one is asked. */
  labRuns: boolean;
};

export type Problem = { what: string; todo: string };

/** Every reason why no lab can be started here, all at once. */
export function findProblems(facts: MachineFacts): Problem[] {
  const problems: Problem[] = [];
  const gib = (bytes: number) => `${(bytes / gibibyte).toFixed(1)} GiB`;
  if (facts.platform !== "linux" || !["x64", "arm64"].includes(facts.arch)) {
    problems.push({
      what: `a lab runs on Linux on amd64 or arm64; this is ${facts.platform} on ${facts.arch}`,
      todo: "Point KUBECONFIG at a cluster (kind, k3d or any other): the same commands use it. docs/lab.md tells how.",
    });
  }
  if (facts.uid !== 0) {
    problems.push({
      what: "a lab makes network namespaces, mounts and cgroups, which needs root",
      todo: "Run the command as root (sudo -E), or point KUBECONFIG at a cluster that exists.",
    });
  }
  if (facts.missingPackages.length > 0) {
    problems.push({
      what: `system packages are missing: ${facts.missingPackages.join(" ")}`,
      todo: facts.hasApt
        ? `${installCommand(facts.missingPackages)}   (\`lab up --install\` runs exactly this)`
        : "Install them with your distribution's package manager; the names are Debian's.",
    });
  }
  if (facts.toCompile.length > 0 && !isGoRecentEnough(facts.goVersion)) {
    problems.push({
      what: `${facts.toCompile.join(", ")} must be compiled, which needs Go >= 1.26; ${facts.goVersion ? `this is Go ${facts.goVersion}` : "there is no go on PATH"}`,
      todo: "Install Go 1.26 or later (https://go.dev/dl) and put it on PATH.",
    });
  }
  if (facts.onOverlay) {
    problems.push({
      what: `${facts.directory} lies on an overlay filesystem, on which containers cannot have their own`,
      todo: "Set LAB_HOME to a directory on a real filesystem (in a container: on a volume).",
    });
  }
  if (!facts.labRuns && facts.availableMemoryBytes < neededMemory) {
    problems.push({
      what: `${gib(facts.availableMemoryBytes)} of memory are available; a lab with its add-ons needs ${gib(neededMemory)}`,
      todo: "End something large, or use a bigger machine.",
    });
  }
  if (!facts.labRuns && facts.freeDiskBytes < neededDisk) {
    problems.push({
      what: `${gib(facts.freeDiskBytes)} are free where ${facts.directory} lies; a lab needs ${gib(neededDisk)}`,
      todo: "Free some space, or set LAB_HOME to a directory on a larger disk.",
    });
  }
  return problems;
}

export function isGoRecentEnough(version: string | undefined): boolean {
  const [major = 0, minor = 0] = (version ?? "").split(".").map(Number);
  return major > 1 || (major === 1 && minor >= 26);
}

/** The one line that installs the packages. */
export function installCommand(names: string[]): string {
  return `apt-get update && apt-get install --yes --no-install-recommends ${names.join(" ")}`;
}

export async function installPackages(names: string[]): Promise<void> {
  await run("sh", ["-c", installCommand(names)], { env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } });
}

/** Throws a refusal when the command, which touches namespaces, is not run by root. */
export function requireRoot(command: string): void {
  if (process.getuid?.() === 0) return;
  throw refusal(
    `\`lab ${command}\` works on network namespaces, mounts and cgroups, which needs root`,
    "Run it as root (sudo -E).",
  );
}

/** Throws one refusal (exit code 3) that lists every problem with what to do about it. */
export function refuseIf(problems: Problem[]): void {
  if (problems.length === 0) return;
  const [first] = problems;
  if (problems.length === 1 && first) throw refusal(first.what, first.todo);
  throw new LabError(
    `a lab cannot be started here, for ${problems.length} reasons:\n${problems.map(({ what, todo }) => `  - ${what}\n    ${todo}`).join("\n")}`,
    { exitCode: exitCodes.refused },
  );
}

export async function readMachine(o: {
  directory: string;
  toCompile: string[];
  labRuns: boolean;
}): Promise<MachineFacts> {
  const directory = nearestExisting(o.directory);
  const filesystem = statfsSync(directory);
  const overlayMagic = 0x794c7630;
  return {
    uid: process.getuid?.() ?? -1,
    arch: process.arch,
    platform: process.platform,
    availableMemoryBytes: availableMemory(),
    freeDiskBytes: filesystem.bavail * filesystem.bsize,
    directory: o.directory,
    onOverlay: filesystem.type === overlayMagic,
    missingPackages: missingPackages(),
    hasApt: isProgram("apt-get"),
    toCompile: o.toCompile,
    goVersion: await goVersion(),
    labRuns: o.labRuns,
  };
}

export function missingPackages(): string[] {
  return Object.entries(packages)
    .filter(([, needs]) => !needs.every((need) => (need.startsWith("/") ? existsSync(need) : isProgram(need))))
    .map(([name]) => name);
}

function isProgram(name: string): boolean {
  const directories = [...(process.env["PATH"] ?? "").split(":"), "/usr/sbin", "/sbin"];
  return directories.some((directory) => directory && existsSync(path.join(directory, name)));
}

async function goVersion(): Promise<string | undefined> {
  if (!isProgram("go")) return undefined;
  return (await run("go", ["env", "GOVERSION"])).trim().replace(/^go/, "");
}

function availableMemory(): number {
  const available = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync("/proc/meminfo", "utf8"))?.[1];
  return Number(available) * 1024;
}

function nearestExisting(directory: string): string {
  return existsSync(directory) ? directory : nearestExisting(path.dirname(directory));
}
