import { execFile } from "node:child_process";
import { join } from "node:path";
import { inject } from "vitest";

export interface ConformReport {
  resources: { kind: string; name: string; status: string; msg: string }[];
}

/** What the schemas say of each object. */
export function kubeconform(manifests: string): Promise<ConformReport> {
  const location = join(inject("kubernetesSchemas"), "{{.ResourceKind}}{{.KindSuffix}}.json");
  const args = ["-strict", "-verbose", "-output", "json", "-schema-location", location, "-"];
  return new Promise((resolve, reject) => {
    const child = execFile(inject("kubeconform"), args, { maxBuffer: 64 * 2 ** 20 }, (error, stdout, stderr) => {
      // It exits with 1 when an object is invalid, which its report says.
      if (stdout === "") reject(new Error(`kubeconform gave no report: ${stderr || error?.message}`));
      else resolve(JSON.parse(stdout) as ConformReport);
    });
    child.stdin!.end(manifests);
  });
}
