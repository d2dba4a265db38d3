import { gunzipSync, gzipSync } from "node:zlib";

/** Helm's names for the state of one revision. */
export type HelmStatus =
  | "deployed"
  | "superseded"
  | "failed"
  | "uninstalled"
  | "uninstalling"
  | "pending-install"
  | "pending-upgrade"
  | "pending-rollback"
  | "unknown";

/** One revision of a release as Helm stores it in a Secret of type `helm.sh/release.v1`. */
export interface HelmRelease {
  name: string;
  namespace: string;
  version: number;
  info: { status: HelmStatus; description?: string; last_deployed?: string; [field: string]: unknown };
  chart: {
    metadata: { name: string; version: string; appVersion?: string; [field: string]: unknown };
    [field: string]: unknown;
  };
  /** What the user set; the chart's defaults are not in it. */
  config?: Record<string, unknown> | null;
  manifest: string;
  hooks?: HelmHook[] | null;
  [field: string]: unknown;
}

export interface HelmHook {
  name: string;
  kind: string;
  manifest: string;
  events?: string[];
  weight?: number;
  [field: string]: unknown;
}

/** @param data the field `release` of the Secret as the API gives it: base64 of base64 of gzip of JSON. */
export function decodeHelmRelease(data: string): HelmRelease {
  const packed = Buffer.from(Buffer.from(data, "base64").toString("ascii"), "base64");
  return JSON.parse(gunzipSync(packed).toString("utf8")) as HelmRelease;
}

/** The inverse of `decodeHelmRelease`. */
export function encodeHelmRelease(release: HelmRelease): string {
  const packed = gzipSync(Buffer.from(JSON.stringify(release), "utf8"), { level: 9 });
  return Buffer.from(packed.toString("base64"), "ascii").toString("base64");
}

export function isPending(release: HelmRelease): boolean {
  return release.info.status.startsWith("pending-") || release.info.status === "uninstalling";
}

/** `myapp-0.1.0` */
export function chartLabel(release: HelmRelease): string {
  return `${release.chart.metadata.name}-${release.chart.metadata.version}`;
}
