import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { customSchemas } from "./custom-schemas.ts";

const run = promisify(execFile);

/** The module file that pins the lab's Kubernetes: the schemas are of the version that the tests' cluster runs. */
const MODULE = join(import.meta.dirname, "../../../packages/lab/toolchain/kubernetes");

/** Raise it when what is written below changes, so that cached schemas are written anew. */
const FORMAT = 3;

/** The parts of an OpenAPI definition that matter here. */
interface Definition {
  type?: string;
  format?: string;
  properties?: Record<string, Definition>;
  additionalProperties?: Definition | boolean;
  items?: Definition;
  required?: string[];
  $ref?: string;
  "x-kubernetes-group-version-kind"?: { group: string; version: string; kind: string }[];
  [field: string]: unknown;
}

/**
 * Folder with a JSON schema per kind of object, named `<kind>-<group>-<version>.json` as kubeconform looks for them.
 * They are made from Kubernetes' own OpenAPI document, which its Go module carries, and from the definitions of the custom
 * resources that the chart renders, and forbid unknown fields.
 */
export async function kubernetesSchemas(): Promise<string> {
  const { Dir, Version } = await kubernetesModule();
  const cache = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "safe-deploy");
  const folder = join(cache, `kubernetes-schemas-${Version}-${FORMAT}`);
  if (existsSync(folder)) return folder;

  const document = JSON.parse(await readFile(join(Dir, "api/openapi-spec/swagger.json"), "utf8")) as {
    definitions: Record<string, Definition>;
  };
  // Written beside and renamed, so that a run that was killed leaves no half of them.
  await mkdir(cache, { recursive: true });
  const fresh = await mkdtemp(`${folder}.`);
  for (const [name, content] of [...schemaFiles(document.definitions), ...(await customSchemas())]) {
    await writeFile(join(fresh, name), JSON.stringify(content));
  }
  await rename(fresh, folder).catch(async (error: unknown) => {
    await rm(fresh, { recursive: true });
    if (!existsSync(folder)) throw error;
  });
  return folder;
}

async function kubernetesModule(): Promise<{ Dir: string; Version: string }> {
  try {
    const { stdout } = await run("go", ["mod", "download", "-json", "k8s.io/kubernetes"], { cwd: MODULE });
    return JSON.parse(stdout) as { Dir: string; Version: string };
  } catch (error) {
    throw new Error(
      `The Kubernetes schemas come from the Go module that ${dirname(MODULE)}/kubernetes/go.mod pins, and it cannot be had: ${(error as Error).message}\n` +
        "Install Go 1.26 or newer, and see that `go mod download` works there.",
      { cause: error },
    );
  }
}

function* schemaFiles(definitions: Record<string, Definition>): Generator<[string, unknown]> {
  for (const [name, definition] of Object.entries(definitions)) {
    for (const { group, version, kind } of definition["x-kubernetes-group-version-kind"] ?? []) {
      const suffix = group === "" ? version : `${group.split(".")[0]}-${version}`;
      const used = new Map<string, unknown>();
      collect(name, definitions, used);
      yield [
        `${kind.toLowerCase()}-${suffix}.json`,
        { $ref: `#/definitions/${name}`, definitions: Object.fromEntries(used) },
      ];
    }
  }
}

/** The definition and all that it refers to, each made strict. */
function collect(name: string, definitions: Record<string, Definition>, used: Map<string, unknown>): void {
  if (used.has(name)) return;
  const definition = definitions[name];
  if (definition === undefined) throw new Error(`the OpenAPI document refers to ${name}, but does not define it`);
  used.set(name, {});
  used.set(
    name,
    strict(name, definition, (reference) => {
      collect(reference, definitions, used);
    }),
  );
}

/** Types that are written as a number or as text, which the OpenAPI document calls text. */
const NUMBER_OR_TEXT = /\.(util\.intstr\.IntOrString|api\.resource\.Quantity)$/;

function strict(name: string, definition: Definition, follow: (reference: string) => void): unknown {
  if (NUMBER_OR_TEXT.test(name)) return { type: ["string", "number"] };
  if (definition.$ref !== undefined) {
    follow(definition.$ref.replace("#/definitions/", ""));
    return { $ref: definition.$ref };
  }
  const { type, properties, additionalProperties, items, required } = definition;
  const nested = (child: Definition) => strict("", child, follow);
  return {
    ...(type === undefined ? {} : { type }),
    ...(required === undefined ? {} : { required }),
    ...(items === undefined ? {} : { items: nested(items) }),
    ...(properties === undefined
      ? {}
      : { properties: mapValues(properties, nested), additionalProperties: additionalProperties ?? false }),
    ...(properties === undefined && additionalProperties !== undefined
      ? {
          additionalProperties:
            typeof additionalProperties === "boolean" ? additionalProperties : nested(additionalProperties),
        }
      : {}),
  };
}

function mapValues<T, U>(record: Record<string, T>, change: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}
