import type { LedgerEntry } from "./ledger.ts";

/**
 * Which config versions nothing refers to any more. A version is kept while a workload or a ReplicaSet's template
 * names it, or a verified entry of the ledger does; the newest one is kept too, because its release may be under way.
 *
 * @param versions every config version of the release, by the name of its ConfigMap.
 * @param referenced names of ConfigMaps and Secrets in the templates of the workload and of its ReplicaSets.
 */
export function configToCollect<V extends { configMap: string; createdAt: string }>(
  versions: readonly V[],
  referenced: ReadonlySet<string>,
  ledger: readonly LedgerEntry[],
): V[] {
  const verified = new Set(ledger.filter((entry) => entry.verdict === "pass").map((entry) => entry.configMap));
  const newest = [...versions].sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1))[0];
  return versions.filter(
    (version) => version !== newest && !referenced.has(version.configMap) && !verified.has(version.configMap),
  );
}

/** Names of the ConfigMaps and Secrets that a pod template refers to, wherever in it they stand. */
export function referencedConfig(template: unknown): Set<string> {
  const names = new Set<string>();
  const visit = (value: unknown, key: string): void => {
    if (Array.isArray(value)) for (const item of value) visit(item, key);
    else if (value !== null && typeof value === "object") {
      const { name, secretName } = value as { name?: unknown; secretName?: unknown };
      if (referenceFields.has(key) && typeof name === "string") names.add(name);
      if (key === "secret" && typeof secretName === "string") names.add(secretName);
      for (const [field, inner] of Object.entries(value)) visit(inner, field);
    }
  };
  visit(template, "");
  return names;
}

const referenceFields = new Set([
  "configMapRef",
  "secretRef",
  "configMapKeyRef",
  "secretKeyRef",
  "configMap",
  "secret",
]);
