import { existsSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { Kube, type KubeObject, resources, waitUntil } from "@safe-deploy/kube";
import { type Load, type LoadOptions, runLoad } from "@safe-deploy/load";
import { must, type Ran, run, type RunOptions } from "./run.ts";

export const root = fileURLToPath(new URL("../..", import.meta.url));
export const chart = path.join(root, "charts/myapp");
const node = process.execPath;

/** The cluster that a test or the demo works on, and the programs that work on it. */
export class World {
  /** KUBECONFIG, PATH and the rest of `lab env`. */
  readonly env: NodeJS.ProcessEnv;
  readonly kube: Kube;

  private constructor(env: NodeJS.ProcessEnv, kube: Kube) {
    this.env = env;
    this.kube = kube;
  }

  /** Starts the lab, or takes the cluster that KUBECONFIG names; builds the load generator where it is missing. */
  static async open(o: { addons: "core" | "rollout" | "all"; helm3?: boolean; show?: boolean }): Promise<World> {
    const shown = { cwd: root, show: o.show ?? true };
    const programs = ["k6", ...(o.helm3 === true ? ["helm3"] : [])];
    await must(node, ["packages/lab/src/main.ts", "up", "--install", "--addons", o.addons], shown);
    await must(node, ["packages/lab/src/main.ts", "tools", ...programs], shown);
    return await World.attach();
  }

  /** For a lab that is up. */
  static async attach(): Promise<World> {
    const { stdout } = await must(node, ["packages/lab/src/main.ts", "env"], { cwd: root });
    const env: NodeJS.ProcessEnv = { ...process.env };
    // What a person sets for ctl, and make exports, must not choose for the tests.
    delete env["NS"];
    delete env["RELEASE"];
    for (const [, name = "", value = ""] of stdout.matchAll(/^export (\w+)=(.*)$/gm)) {
      env[name] = value.replace(/^'(.*)'$/, "$1");
    }
    const kube = await Kube.connect({
      ...(env["KUBECONFIG"] === undefined ? {} : { kubeconfig: env["KUBECONFIG"] }),
      fieldManager: "e2e",
    });
    return new World(env, kube);
  }

  async lab(args: string[], o: RunOptions = {}): Promise<Ran> {
    return await must(node, ["packages/lab/src/main.ts", ...args], { cwd: root, ...o });
  }

  /** ctl as its users run it: the bundle, its exit code, its stdout and stderr. */
  async ctl(args: string[], o: RunOptions = {}): Promise<Ran> {
    return await run(node, [path.join(root, "packages/ctl/dist/ctl.mjs"), ...args], {
      cwd: root,
      ...o,
      env: { ...this.env, CI: "1", ...o.env },
    });
  }

  async helm(args: string[], o: RunOptions & { major?: 3 | 4 } = {}): Promise<Ran> {
    const binary = o.major === 3 ? "helm3" : "helm";
    return await run(binary, args, { cwd: root, ...o, env: { ...this.env, ...o.env } });
  }

  async kubectl(args: string[], o: RunOptions = {}): Promise<Ran> {
    return await must("kubectl", args, { cwd: root, ...o, env: { ...this.env, ...o.env } });
  }

  /** An empty namespace that enforces the restricted Pod Security standard. What was there before is gone. */
  async namespace(name: string): Promise<void> {
    await this.removeNamespace(name);
    await this.namespaceGone(name);
    const enforce = { "pod-security.kubernetes.io/enforce": "restricted" };
    await this.kube.create({ apiVersion: "v1", kind: "Namespace", metadata: { name, labels: enforce } });
  }

  /** Its pods may still be ending when this returns. */
  async removeNamespace(name: string): Promise<void> {
    await this.kube.delete(resources.Namespace, name);
  }

  async namespaceGone(name: string): Promise<void> {
    await this.kubectl(["wait", "--for=delete", `namespace/${name}`, "--timeout=120s"]);
  }

  /** Traffic from inside the cluster's network to the release's main Service. */
  async load(namespace: string, service: string, o: Omit<LoadOptions, "baseUrl" | "wrapper" | "k6">): Promise<Load> {
    const found = await this.kube.get(resources.Service, service, { namespace });
    const address = found?.spec.clusterIP;
    if (address === undefined) throw new Error(`Service ${namespace}/${service} has no address`);
    return runLoad({ ...o, baseUrl: `http://${address}`, ...this.#inside() });
  }

  /** Traffic from inside the cluster's network to the router, for one of its hosts. */
  async routerLoad(host: string, o: Omit<LoadOptions, "baseUrl" | "wrapper" | "k6">): Promise<Load> {
    const router = await this.kube.get(resources.Service, "traefik", { namespace: "traefik" });
    if (router?.spec.clusterIP === undefined) throw new Error("the router's Service has no address");
    return runLoad({
      ...o,
      baseUrl: `http://${router.spec.clusterIP}`,
      headers: { ...o.headers, host },
      ...this.#inside(),
    });
  }

  /** Ends the lab's Prometheus, or brings it back, and waits until that has happened. */
  async setPrometheusReplicas(replicas: 0 | 1): Promise<void> {
    const namespace = "monitoring";
    const prometheus = { apiVersion: "monitoring.coreos.com/v1", kind: "Prometheus" };
    await this.kube.patch(prometheus, "lab", { spec: { replicas } }, { namespace });
    await waitUntil(
      this.kube,
      { pods: { resource: resources.Pod, namespace, labelSelector: "app.kubernetes.io/name=prometheus" } },
      { what: `${replicas} pods of Prometheus`, timeoutMs: 120_000 },
      ({ pods }) => {
        const ready = pods.filter(({ status }) => status?.containerStatuses?.every((container) => container.ready));
        return pods.length === replicas && ready.length === replicas ? true : undefined;
      },
    );
  }

  /** The container image that the ready pods of a Deployment run, by digest: an autoscaler may be starting one more. */
  async liveDigest(namespace: string, deployment: string): Promise<string> {
    const found = await this.kube.get(resources.Deployment, deployment, { namespace });
    const selector = Object.entries(found?.spec.selector.matchLabels ?? {});
    const { items } = await this.kube.list(resources.Pod, {
      namespace,
      labelSelector: selector.map(([key, value]) => `${key}=${value}`).join(","),
    });
    const ids = new Set(
      items
        .filter((pod) => pod.metadata.deletionTimestamp === undefined)
        .flatMap((pod) => pod.status?.containerStatuses ?? [])
        .filter((status) => status.name === "app" && status.ready)
        .map((status) => status.imageID.replace(/^.*@/, "")),
    );
    if (ids.size !== 1) throw new Error(`the pods of ${deployment} run ${ids.size} images: ${[...ids].join(", ")}`);
    return [...ids][0] as string;
  }

  async apply(object: KubeObject): Promise<void> {
    await this.kube.apply(object, { force: true });
  }

  #inside(): Pick<LoadOptions, "wrapper" | "k6"> {
    const name = this.env["LAB_NAME"];
    return {
      k6: this.#which("k6"),
      ...(name === undefined ? {} : { wrapper: ["nsenter", `--net=/run/netns/safe-deploy-${name}`] }),
    };
  }

  #which(program: string): string {
    const folder = (this.env["PATH"] ?? "").split(":").find((entry) => existsSync(path.join(entry, program)));
    if (folder === undefined) throw new Error(`${program} is not on the lab's PATH`);
    return path.join(folder, program);
  }
}
