import { execFile } from "node:child_process";
import { join } from "node:path";
import { inject } from "vitest";
import { parse, parseAllDocuments } from "yaml";

export const CHART = join(import.meta.dirname, "../../myapp");

export type HelmVersion = 3 | 4;
export const HELM_VERSIONS: readonly HelmVersion[] = [3, 4];

/** What a manifest is, as far as the tests look into it without asking. */
// eslint-disable-next-line typescript/no-explicit-any -- a manifest has no type, and assertions are what checks it
export type Manifest = any;

export type Values = { [key: string]: unknown };

export interface RenderOptions {
  helm?: HelmVersion;
  chart?: string;
  release?: string;
  namespace?: string;
  /** A file of the chart's ci folder, under `values`. */
  ci?: string;
  /** More arguments for `helm template`. */
  args?: string[];
}

/** The smallest values with which the chart renders. */
export const IMAGES: Values = {
  image: { tag: "v1" },
  hooks: { image: { tag: "v1" } },
  agent: { image: { tag: "v1" } },
};

/** Renders as `helm template` does; throws Helm's own message when it refuses. */
export async function renderText(values: Values = IMAGES, options: RenderOptions = {}): Promise<string> {
  const { helm = 4, chart = CHART, release = "myapp", namespace = "shop", ci, args = [] } = options;
  const files = ci === undefined ? [] : ["--values", join(CHART, "ci", ci)];
  return runHelm(
    helm,
    // Helm's default depends on how it was built.
    [
      "template",
      release,
      chart,
      "--namespace",
      namespace,
      "--kube-version",
      "1.35.4",
      ...files,
      "--values",
      "-",
      ...args,
    ],
    JSON.stringify(values),
  );
}

const rendered = new Map<string, Promise<Rendered>>();

/** What Helm renders, parsed. A file's tests share it: equal arguments are rendered once. */
export function render(values: Values = IMAGES, options: RenderOptions = {}): Promise<Rendered> {
  const key = JSON.stringify([values, options]);
  const known = rendered.get(key) ?? renderText(values, options).then((text) => new Rendered(text));
  rendered.set(key, known);
  return known;
}

/** Helm's message when it refuses the values; fails when it does not refuse them. */
export async function refusal(values: Values, options: RenderOptions = {}): Promise<string> {
  const outcome = await renderText(values, options).then(
    () => undefined,
    (error: Error) => error.message,
  );
  if (outcome === undefined) throw new Error(`Helm accepted ${JSON.stringify(values)}`);
  return outcome;
}

/** The single problems of a refusal by the chart's own validation. */
export async function problems(values: Values, options: RenderOptions = {}): Promise<string[]> {
  const message = await refusal(values, options);
  return message.split("\n").flatMap((line) => (line.startsWith("  - ") ? [line.slice(4)] : []));
}

export function runHelm(helm: HelmVersion, args: string[], input = ""): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(inject("helm")[helm], args, { maxBuffer: 64 * 2 ** 20 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(stderr === "" ? error.message : stderr));
    });
    child.stdin!.end(input);
  });
}

export class Rendered {
  readonly text: string;
  readonly objects: Manifest[];

  constructor(text: string) {
    this.text = text;
    this.objects = parseAllDocuments(text).flatMap((document) => {
      if (document.errors.length > 0) throw document.errors[0]!;
      const object: unknown = document.toJS();
      return object === null ? [] : [object];
    });
  }

  /** The one object of that kind, or of that kind and name; fails when there is none or more than one. */
  get(kind: string, name?: string): Manifest {
    const found = this.all(kind).filter((object) => name === undefined || object.metadata.name === name);
    if (found.length === 1) return found[0];
    const what = name === undefined ? kind : `${kind} ${name}`;
    throw new Error(`${found.length} objects are a ${what}, not one; there are ${this.ids().join(", ")}`);
  }

  all(kind: string): Manifest[] {
    return this.objects.filter((object) => object.kind === kind);
  }

  ids(): string[] {
    return this.objects.map((object) => `${object.kind}/${object.metadata.name}`).sort();
  }

  get deployment(): Manifest {
    return this.get("Deployment");
  }

  get rollout(): Manifest {
    return this.get("Rollout");
  }

  get pod(): Manifest {
    return this.deployment.spec.template.spec;
  }

  get container(): Manifest {
    return this.pod.containers.find((container: Manifest) => container.name === "app");
  }

  /** The ConfigMap of the config version. */
  get config(): Manifest {
    const found = this.releaseObjects.filter((object) => object.kind === "ConfigMap");
    if (found.length !== 1) throw new Error(`${found.length} config versions, not one`);
    return found[0];
  }

  /** The pod template as its very text, in which even the order of keys counts. */
  get podTemplateText(): string {
    const document = this.text.split(/^---$/m).find((text) => /^kind: (Deployment|Rollout)$/m.test(text));
    const template = /^ {2}template:\n(?: {3,}.*\n|\n)+/m.exec(`${document}\n`)?.[0];
    if (template === undefined) throw new Error("no pod template found");
    parse(template);
    return template.trimEnd();
  }

  /** Objects that Helm applies with the release. */
  get releaseObjects(): Manifest[] {
    return this.objects.filter((object) => object.metadata.annotations?.["helm.sh/hook"] === undefined);
  }

  get hookObjects(): Manifest[] {
    return this.objects.filter((object) => object.metadata.annotations?.["helm.sh/hook"] !== undefined);
  }
}

/** Objects in an order that does not depend on the Helm version. */
export function sorted(objects: Manifest[]): Manifest[] {
  const key = (object: Manifest) => `${object.kind}/${object.metadata.name}`;
  return objects.toSorted((a, b) => key(a).localeCompare(key(b)));
}
