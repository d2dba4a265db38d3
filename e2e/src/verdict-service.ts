import path from "node:path";
import { type Pod, resources, waitUntil } from "@safe-deploy/kube";
import { registry, verdictTag } from "./images.ts";
import { must } from "./run.ts";
import { release } from "./app-release.ts";
import { root, type World } from "./world.ts";

const name = "verdict";

/** The kernel's clock is that of all containers. This one is the program's alone, and goes back at a signal. */
const clock = `const now = Date.now; let back = 0;
Date.now = () => now() - back;
process.on("SIGUSR2", () => { back += 3_600_000; });`;

/** An attempt as the service tells it. */
export interface SeenAttempt {
  attempt: string;
  number: number;
  canary: string;
  startedAt: number;
  ended: { how: string } | null;
  totals: { canary: { requests: number; bad: number } };
  answer: { verdict: string; reason: string; weight: number; source: string; n: number; k: number } | null;
  path: { at: number; verdict: string; rules: { boundaries: [number, number] }[] }[];
}

/** The verdict service, installed with its chart for one namespace. */
export class VerdictService implements AsyncDisposable {
  readonly #world: World;
  readonly #namespace: string;
  readonly #serves: string;

  private constructor(world: World, namespace: string, serves: string) {
    this.#world = world;
    this.#namespace = namespace;
    this.#serves = serves;
  }

  /** @param serves the namespace whose Rollouts it judges; it exists already. */
  static async install(world: World, namespace: string, serves: string): Promise<VerdictService> {
    await world.namespace(namespace);
    const service = new VerdictService(world, namespace, serves);
    await service.upgrade([]);
    return service;
  }

  /** @param more flags of Helm. */
  async upgrade(more: string[]): Promise<void> {
    await must(
      "helm",
      [
        ...["upgrade", "--install", name, path.join(root, "charts/verdict"), "-n", this.#namespace],
        ...["--wait", "--timeout", "120s"],
        // The tag is built again for each run; the lab may have an older one.
        ...["--set", `image.repository=${registry}/verdict,image.tag=${verdictTag},image.pullPolicy=Always`],
        ...["--set", `namespaces={${this.#serves}},resources.requests.cpu=20m`],
        ...more,
      ],
      { cwd: root, env: this.#world.env },
    );
  }

  /** Values of charts/myapp that let a release ask the one in a namespace. */
  static valuesFor(namespace: string): string[] {
    const prefix = "analysis.sequential.service";
    const url = `http://${name}.${namespace}.svc`;
    return ["--set", `${prefix}.url=${url},${prefix}.namespace=${namespace},${prefix}.account=${name}`];
  }

  get values(): string[] {
    return VerdictService.valuesFor(this.#namespace);
  }

  async attempt(): Promise<SeenAttempt> {
    return (await this.#get(`/v1/attempts/${this.#serves}/${release}`)) as SeenAttempt;
  }

  /** What a background analysis would be told. */
  async verdict(hash: string): Promise<{ verdict: string; reason: string; attempt: string }> {
    const question = new URLSearchParams({ namespace: this.#serves, rollout: release, hash });
    return (await this.#get(`/v1/verdict?${question.toString()}`)) as {
      verdict: string;
      reason: string;
      attempt: string;
    };
  }

  /** Ends its pod at once, and waits for the next one. */
  async kill(): Promise<void> {
    const [pod] = await this.#pods();
    if (pod === undefined) throw new Error("the verdict service has no pod");
    const at = ["-n", this.#namespace];
    await this.#world.kubectl([
      "delete",
      "pod",
      pod.metadata.name,
      ...at,
      "--grace-period=0",
      "--force",
      "--wait=false",
    ]);
    await this.#until("another pod of the verdict service", (pods) =>
      pods.some((other) => other.metadata.uid !== pod.metadata.uid && isReady(other)),
    );
  }

  /** Ends it, or brings it back. */
  async scale(replicas: 0 | 1): Promise<void> {
    await this.#world.kubectl(["scale", `deployment/${name}`, "-n", this.#namespace, `--replicas=${replicas}`]);
    await this.#until(`${replicas} pods of the verdict service`, (pods) =>
      replicas === 0 ? pods.length === 0 : pods.some(isReady),
    );
  }

  /** Gives it a clock that goes back, or the real one again. */
  async clock(which: "movable" | "real"): Promise<void> {
    const movable = `NODE_OPTIONS=--import=data:text/javascript,${encodeURIComponent(clock)}`;
    const [at, deployment] = [["-n", this.#namespace], `deployment/${name}`];
    await this.#world.kubectl(["set", "env", deployment, ...at, which === "movable" ? movable : "NODE_OPTIONS-"]);
    await this.#world.kubectl(["rollout", "status", deployment, ...at, "--timeout=120s"]);
  }

  /** Puts its clock back by an hour, if it is movable. */
  async putClockBack(): Promise<void> {
    const signal = ["--", "node", "-e", "process.kill(1, 'SIGUSR2')"];
    await this.#world.kubectl(["exec", `deployment/${name}`, "-n", this.#namespace, ...signal]);
  }

  async remove(): Promise<void> {
    await this.#world.removeNamespace(this.#namespace);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.remove();
  }

  async #get(target: string): Promise<unknown> {
    return await this.#world.kube.raw(
      "GET",
      `/api/v1/namespaces/${this.#namespace}/services/${name}:80/proxy${target}`,
    );
  }

  async #pods(): Promise<Pod[]> {
    const { items } = await this.#world.kube.list(resources.Pod, { namespace: this.#namespace });
    return items.filter(({ metadata }) => metadata.labels?.["app.kubernetes.io/name"] === name);
  }

  async #until(what: string, holds: (pods: readonly Pod[]) => boolean): Promise<void> {
    const labelSelector = `app.kubernetes.io/name=${name}`;
    await waitUntil(
      this.#world.kube,
      { pods: { resource: resources.Pod, namespace: this.#namespace, labelSelector } },
      { what, timeoutMs: 120_000 },
      ({ pods }) => (holds(pods) ? true : undefined),
    );
  }
}

function isReady({ status, metadata }: Pod): boolean {
  return metadata.deletionTimestamp === undefined && status?.containerStatuses?.every(({ ready }) => ready) === true;
}
