import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { parseAllDocuments } from "yaml";

const run = promisify(execFile);

const TOOLCHAIN = join(import.meta.dirname, "../../../packages/lab/toolchain");
const TRAEFIK = "docs/content/reference/dynamic-configuration/kubernetes-crd-definition-v1.yml";
const MONITORING = "example/prometheus-operator-crd/monitoring.coreos.com_";
const GATEWAY = "config/crd/standard/gateway.networking.k8s.io_";

/** Where the definitions of the custom resources are that the chart renders: the Go modules that the lab pins. */
const SOURCES: { toolchain: string; module: string; files: string[] }[] = [
  {
    toolchain: "argo-rollouts",
    module: "github.com/argoproj/argo-rollouts",
    files: ["manifests/crds/rollout-crd.yaml", "manifests/crds/analysis-template-crd.yaml"],
  },
  { toolchain: "traefik", module: "github.com/traefik/traefik/v3", files: [TRAEFIK] },
  { toolchain: "traefik", module: "sigs.k8s.io/gateway-api", files: [`${GATEWAY}httproutes.yaml`] },
  {
    toolchain: "prometheus-operator",
    module: "github.com/prometheus-operator/prometheus-operator",
    files: [`${MONITORING}servicemonitors.yaml`, `${MONITORING}prometheusrules.yaml`],
  },
  {
    toolchain: "router-definitions",
    module: "istio.io/api",
    files: ["kubernetes/customresourcedefinitions.gen.yaml"],
  },
];

interface Definition {
  spec: {
    group: string;
    names: { kind: string };
    versions: { name: string; schema?: { openAPIV3Schema: Schema } }[];
  };
}

interface Schema {
  type?: string;
  properties?: Record<string, Schema>;
  items?: Schema;
  additionalProperties?: Schema | boolean;
  required?: string[];
  enum?: unknown[];
  pattern?: string;
  "x-kubernetes-int-or-string"?: boolean;
  "x-kubernetes-preserve-unknown-fields"?: boolean;
}

/** File name, as kubeconform looks for it, and schema of each version of each custom resource. */
export async function customSchemas(): Promise<[string, unknown][]> {
  const files = await Promise.all(
    SOURCES.map(async ({ toolchain, module, files }) => {
      const folder = await moduleFolder(join(TOOLCHAIN, toolchain), module);
      return await Promise.all(files.map((file) => readFile(join(folder, file), "utf8")));
    }),
  );
  return files.flat().flatMap((text) =>
    parseAllDocuments(text).flatMap((document) => {
      const definition = document.toJS() as Definition | null;
      return definition === null ? [] : schemasOf(definition);
    }),
  );
}

function schemasOf({ spec }: Definition): [string, unknown][] {
  return spec.versions.flatMap(({ name, schema }): [string, unknown][] => {
    if (schema === undefined) return [];
    const whole = strict(schema.openAPIV3Schema) as { properties: Record<string, unknown> };
    Object.assign(whole.properties, { apiVersion: {}, kind: {}, metadata: { type: "object" } });
    return [[`${spec.names.kind.toLowerCase()}-${spec.group.split(".")[0]}-${name}.json`, whole]];
  });
}

/** The same without unknown fields, as the API server drops and Helm's server-side apply refuses them. */
function strict(schema: Schema): unknown {
  if (schema["x-kubernetes-int-or-string"] === true) return { type: ["string", "number"] };
  const { type, properties, items, additionalProperties, required } = schema;
  const open = schema["x-kubernetes-preserve-unknown-fields"] === true || type !== "object";
  return {
    ...(type === undefined ? {} : { type }),
    ...(schema.enum === undefined ? {} : { enum: schema.enum }),
    ...(required === undefined ? {} : { required }),
    ...(items === undefined ? {} : { items: strict(items) }),
    ...(properties === undefined
      ? {}
      : {
          properties: Object.fromEntries(Object.entries(properties).map(([key, child]) => [key, strict(child)])),
          ...(open ? {} : { additionalProperties: false }),
        }),
    ...(typeof additionalProperties === "object" ? { additionalProperties: strict(additionalProperties) } : {}),
  };
}

async function moduleFolder(cwd: string, module: string): Promise<string> {
  const { stdout } = await run("go", ["mod", "download", "-json", module], { cwd });
  return (JSON.parse(stdout) as { Dir: string }).Dir;
}
