/** `v4.3.1+g1234` → [4, 3, 1]; undefined where no version stands. */
export function parseVersion(text: string): [number, number, number] | undefined {
  const match = /v?(\d+)\.(\d+)\.(\d+)/.exec(text);
  return match === null ? undefined : [Number(match[1]), Number(match[2]), Number(match[3])];
}

export const supportedHelm = ">= 3.22.0, 4.0.5 or later of 4.0, or >= 4.1.5";

/**
 * Whether this Helm can roll back a release over objects that `helm.sh/resource-policy: keep` left in the cluster;
 * earlier ones fail on them, and config versions are such objects.
 */
export function isSupportedHelm([major, minor, patch]: [number, number, number]): boolean {
  if (major === 3) return minor >= 22;
  if (major !== 4) return major > 4;
  if (minor === 0) return patch >= 5;
  return minor > 1 || patch >= 5;
}
