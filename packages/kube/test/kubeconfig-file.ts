import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

export interface KubeconfigParts {
  server?: string;
  cluster?: Record<string, unknown>;
  user?: Record<string, unknown>;
  context?: string;
  currentContext?: string | undefined;
  namespace?: string;
}

/** A kubeconfig with one cluster, user and context, all of the context's name. */
export function kubeconfig(parts: KubeconfigParts = {}): object {
  const { server = "https://127.0.0.1:1", cluster = {}, user = {}, context = "one", namespace } = parts;
  return {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: context, cluster: { server, ...cluster } }],
    users: [{ name: context, user }],
    contexts: [{ name: context, context: { cluster: context, user: context, ...(namespace ? { namespace } : {}) } }],
    "current-context": "currentContext" in parts ? parts.currentContext : context,
  };
}

/** Writes a file that is gone when the test has ended, and gives its path. */
export async function temporaryFile(content: object | string, mode = 0o600): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "kube-test-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const path = join(directory, "config");
  await writeFile(path, typeof content === "string" ? content : JSON.stringify(content), { mode });
  return path;
}
