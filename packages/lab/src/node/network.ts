import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { run } from "../command.ts";
import { refusal } from "../errors.ts";
import type { Lab } from "../identity.ts";
import { takeLock } from "../lock.ts";
import { readMounts } from "./mounts.ts";

/** Addresses inside every lab; they never leave its network namespace, so all labs use the same. */
export const podCidr = "10.244.0.0/24";
export const serviceCidr = "10.96.0.0/16";
export const apiServiceIp = "10.96.0.1";
export const dnsServiceIp = "10.96.0.10";

/** The two ends of the link between the host and the lab: a /30 of their own. */
export type Subnet = { index: number; hostIp: string; nodeIp: string };

export function subnet(index: number): Subnet {
  return { index, hostIp: `10.77.${index}.1`, nodeIp: `10.77.${index}.2` };
}

/**
 * The first of 10.77.0.0/30 ... 10.77.255.0/30 that overlaps none of the networks (CIDRs) in use, or undefined.
 * `preferred` is taken first if it is free, so that a lab keeps its address over a reboot.
 */
export function chooseSubnet(used: string[], preferred?: number): Subnet | undefined {
  const ranges = used.map(cidrRange);
  const isFree = (index: number) => {
    const [first, last] = cidrRange(`10.77.${index}.0/30`);
    return ranges.every(([from, to]) => to < first || last < from);
  };
  const candidates = Array.from({ length: 256 }, (_, index) => index);
  const index = [...(preferred === undefined ? [] : [preferred]), ...candidates].find(isFree);
  return index === undefined ? undefined : subnet(index);
}

function cidrRange(cidr: string): [number, number] {
  const [address = "", length = "32"] = cidr.split("/");
  const value = address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
  const size = 2 ** (32 - Number(length));
  const first = Math.floor(value / size) * size;
  return [first, first + size - 1];
}

export function netnsFile(lab: Lab): string {
  return path.join("/run/netns", lab.netns);
}

export function networkExists(lab: Lab): boolean {
  return readMounts().some((mount) => mount.target === netnsFile(lab));
}

/** The lab's addresses as the last `up` recorded them. */
export function readSubnet(lab: Lab): Subnet | undefined {
  try {
    const { index } = JSON.parse(readFileSync(recordFile(lab), "utf8")) as { index: number };
    return subnet(index);
  } catch {
    return undefined;
  }
}

/** Makes the network namespace and its link to the host, as far as they are missing. */
export async function ensureNetwork(lab: Lab): Promise<Subnet> {
  // Held until the address is on the link: from then on every other lab sees that it is taken.
  using _lock = await takeLock("network", { purpose: `network of ${lab.name}`, deadlineSeconds: 30 });
  if (!networkExists(lab)) await run("ip", ["netns", "add", lab.netns]);
  const recorded = readSubnet(lab);
  const present = await networksOnHost();
  const own = present.filter((network) => network.device === lab.links.host);
  const keeps = recorded && own.some((network) => network.cidr.startsWith(`${recorded.hostIp}/`));
  const others = present.filter((network) => network.device !== lab.links.host).map((network) => network.cidr);
  const chosen = keeps ? recorded : chooseSubnet(others, recorded?.index);
  if (!chosen) {
    throw refusal(
      "no free network for the link to the lab: every /30 of 10.77.0.0/16 overlaps an address or route of this machine",
      "`ip addr; ip route` show them; `lab down` in checkouts you no longer use frees theirs.",
    );
  }
  mkdirSync(path.dirname(recordFile(lab)), { recursive: true });
  writeFileSync(recordFile(lab), JSON.stringify({ index: chosen.index }));
  if (!keeps) await createLink(lab, chosen);
  return chosen;
}

async function createLink(lab: Lab, chosen: Subnet): Promise<void> {
  const { host, node } = lab.links;
  if (existsSync(`/sys/class/net/${host}`)) await run("ip", ["link", "delete", host]);
  await run("ip", ["link", "add", host, "type", "veth", "peer", "name", node, "netns", lab.netns]);
  await run("ip", ["-n", lab.netns, "-batch", "-"], {
    input: [
      "link set lo up",
      `addr add ${chosen.nodeIp}/30 dev ${node}`,
      `link set ${node} up`,
      // Nothing is forwarded by the host: the route only lets service addresses be looked up at all.
      `route replace default via ${chosen.hostIp}`,
    ].join("\n"),
  });
  await run("nsenter", [`--net=${netnsFile(lab)}`, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]);
  await run("ip", ["-batch", "-"], { input: `addr add ${chosen.hostIp}/30 dev ${host}\nlink set ${host} up` });
}

/** Removes what ensureNetwork made. The other end of the link and the packet filter's rules go with the namespace. */
export async function removeNetwork(lab: Lab): Promise<void> {
  if (existsSync(`/sys/class/net/${lab.links.host}`)) await run("ip", ["link", "delete", lab.links.host]);
  if (existsSync(netnsFile(lab))) await run("ip", ["netns", "delete", lab.netns]);
}

type Network = { device: string; cidr: string };

async function networksOnHost(): Promise<Network[]> {
  const [addresses, routes] = await Promise.all([
    run("ip", ["-json", "-4", "addr", "show"]),
    run("ip", ["-json", "-4", "route", "show", "table", "all"]),
  ]);
  const interfaces = JSON.parse(addresses) as {
    ifname: string;
    addr_info: { local?: string; prefixlen: number }[];
  }[];
  return [
    ...interfaces.flatMap((link) =>
      link.addr_info.flatMap(({ local, prefixlen }) =>
        local ? [{ device: link.ifname, cidr: `${local}/${prefixlen}` }] : [],
      ),
    ),
    ...(JSON.parse(routes) as { dst: string; dev?: string }[])
      .filter((route) => route.dst !== "default")
      .map((route) => ({ device: route.dev ?? "", cidr: route.dst })),
  ];
}

function recordFile(lab: Lab): string {
  return path.join(lab.state, "network.json");
}
