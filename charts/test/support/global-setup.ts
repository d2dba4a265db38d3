import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { TestProject } from "vitest/node";
import { kubernetesSchemas } from "./kubernetes-schemas.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** Path of each Helm, by its major version. */
    helm: { 3: string; 4: string };
    kubeconform: string;
    /** Folder of strict JSON schemas of the cluster's own objects. */
    kubernetesSchemas: string;
  }
}

const run = promisify(execFile);

/** Finds or builds what the tests run. Nothing is skipped when it is missing: the whole run fails and says why. */
export default async function setup(project: TestProject): Promise<void> {
  const tools = await findTools();
  await Promise.all([
    requireVersion(tools.helm, ["version", "--template={{.Version}}"], /^v4\./, "HELM"),
    requireVersion(tools.helm3, ["version", "--template={{.Version}}"], /^v3\./, "HELM3"),
    requireVersion(tools.kubeconform, ["-v"], /./, "KUBECONFORM"),
  ]);
  project.provide("helm", { 3: tools.helm3, 4: tools.helm });
  project.provide("kubeconform", tools.kubeconform);
  project.provide("kubernetesSchemas", await kubernetesSchemas());
}

interface Tools {
  helm: string;
  helm3: string;
  kubeconform: string;
}

async function findTools(): Promise<Tools> {
  const { HELM, HELM3, KUBECONFORM } = process.env;
  if (HELM !== undefined && HELM3 !== undefined && KUBECONFORM !== undefined) {
    return { helm: HELM, helm3: HELM3, kubeconform: KUBECONFORM };
  }
  const { ensureTools } = await import("../../../packages/lab/src/toolchain/tools.ts");
  const paths = await ensureTools(["helm", "helm3", "kubeconform"], {
    onProgress: (line) => process.stderr.write(`${line}\n`),
  });
  return { helm: HELM ?? paths.helm, helm3: HELM3 ?? paths.helm3, kubeconform: KUBECONFORM ?? paths.kubeconform };
}

async function requireVersion(path: string, args: string[], expected: RegExp, variable: string): Promise<void> {
  const { stdout } = await run(path, args).catch((error: Error) => {
    throw new Error(
      `${path} does not run: ${error.message}\nSet ${variable} to one that does, or unset it to have it built.`,
    );
  });
  if (expected.test(stdout)) return;
  throw new Error(
    `${path} is ${stdout.trim()}, but ${expected.source} is needed. Set ${variable} to one that is, or unset it.`,
  );
}
