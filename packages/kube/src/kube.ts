import { KubeError, unknownKind, type RequestTarget } from "./errors.ts";
import { followLogs } from "./logs.ts";
import type { KubeObject, NewKubeObject, Resource } from "./objects.ts";
import { apiGroup, apiRoot, builtInName, type ResourceName } from "./resources.ts";
import { Transport } from "./transport.ts";
import { watch, type WatchEvent } from "./watch.ts";

export interface ConnectOptions {
  /** Path of a kubeconfig; without it $KUBECONFIG, then ~/.kube/config, then the pod's service account. */
  kubeconfig?: string | undefined;
  context?: string | undefined;
  /** The namespace of requests that name none; without it the context's, then `default`. */
  namespace?: string | undefined;
  /** Who owns the fields that are written; default `safe-deploy`. */
  fieldManager?: string | undefined;
  /** Told of each request that is sent, also of those that are sent again; a watch is one. */
  onRequest?: ((request: { verb: string; resource: string }) => void) | undefined;
}

export interface Scope {
  /** null: all namespaces. Without it the connection's namespace. */
  namespace?: string | null | undefined;
  labelSelector?: string | undefined;
  fieldSelector?: string | undefined;
}

export interface LogOptions {
  /** Needed only when the pod has several. */
  container?: string | undefined;
  tailLines?: number | undefined;
  namespace?: string | undefined;
}

export interface Access {
  /** API group; "" or left out for the core group. */
  group?: string | undefined;
  /** Plural, as in a role: `pods`. */
  resource: string;
  subresource?: string | undefined;
  name?: string | undefined;
  namespace?: string | undefined;
}

const patchTypes = {
  merge: "application/merge-patch+json",
  json: "application/json-patch+json",
  strategic: "application/strategic-merge-patch+json",
} as const;

/** Lists are read in pages of this many objects. */
const pageSize = 500;

type Query = Record<string, string | number | boolean | undefined | null>;

/** One API server, seen through one login. Every method throws KubeError. */
export class Kube {
  /** Of requests that name none. */
  readonly namespace: string;
  /** The API server's address as the kubeconfig has it. */
  readonly server: string;
  readonly #transport: Transport;
  readonly #fieldManager: string;
  readonly #discovered = new Map<string, Promise<Map<string, ResourceName>>>();

  private constructor(transport: Transport, namespace: string, fieldManager: string) {
    this.#transport = transport;
    this.namespace = namespace;
    this.server = transport.server;
    this.#fieldManager = fieldManager;
  }

  /** Reads the kubeconfig; sends no request. */
  static async connect(options: ConnectOptions = {}): Promise<Kube> {
    // Loaded here because the Kubernetes client takes several hundred milliseconds to load.
    const { login } = await import("./kubeconfig.ts");
    const found = login(options);
    const namespace = options.namespace ?? found.namespace ?? "default";
    return new Kube(new Transport(found, options.onRequest), namespace, options.fieldManager ?? "safe-deploy");
  }

  /** The object, or undefined when there is none of that name. */
  async get<T extends KubeObject>(
    resource: Resource<T>,
    name: string,
    options: { namespace?: string | undefined } = {},
  ): Promise<T | undefined> {
    const at = await this.#at("get", resource, { ...options, name });
    try {
      return JSON.parse(await this.#transport.text({ method: "GET", path: at.path, target: at.target })) as T;
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  /**
   * The objects of one kind, and the version of the collection as it was then.
   * `limit` is the most that is given; without it all are, read in pages that belong to the same version.
   */
  async list<T extends KubeObject>(
    resource: Resource<T>,
    options: Scope & { limit?: number | undefined } = {},
  ): Promise<{ items: T[]; resourceVersion: string }> {
    return this.#list(resource, options, undefined);
  }

  async #list<T extends KubeObject>(
    resource: Resource<T>,
    options: Scope & { limit?: number | undefined },
    signal: AbortSignal | undefined,
  ): Promise<{ items: T[]; resourceVersion: string }> {
    const { labelSelector, fieldSelector, limit = Infinity } = options;
    const at = await this.#at("list", resource, options);
    let items: T[] = [];
    let next: string | undefined;
    for (;;) {
      const query = { labelSelector, fieldSelector, limit: Math.min(pageSize, limit - items.length), continue: next };
      let page: { metadata: { resourceVersion: string; continue?: string }; items: T[] | null };
      try {
        const path = withQuery(at.path, query);
        page = JSON.parse(
          await this.#transport.text({ method: "GET", path, target: at.target, signal }),
        ) as typeof page;
      } catch (error) {
        // The pages' version was compacted away in between: only a list from the start is whole.
        if (next === undefined || !(error instanceof KubeError) || error.status !== 410) throw error;
        items = [];
        next = undefined;
        continue;
      }
      // Objects of a list come without their apiVersion and kind.
      const { apiVersion, kind } = resource;
      items.push(...(page.items ?? []).map((item) => ({ ...item, apiVersion, kind })));
      next = page.metadata.continue;
      if (!next || items.length >= limit) return { items, resourceVersion: page.metadata.resourceVersion };
    }
  }

  /** Fails with reason `AlreadyExists` when there is one of that name. Fields that the server does not know are refused. */
  async create<T extends KubeObject = KubeObject>(
    object: NewKubeObject,
    options: { dryRun?: boolean | undefined } = {},
  ): Promise<T> {
    const { namespace, name } = object.metadata;
    const at = await this.#at("create", object, { namespace });
    const target = { ...at.target, name };
    return this.#write("POST", at.path, target, { ...dryRun(options), ...this.#strict() }, object);
  }

  /**
   * Server-side apply: creates the object, or makes the fields given here what they are here.
   * Fails with reason `Conflict` (its causes name manager and field) when another manager owns one of them, unless `force`.
   */
  async apply<T extends KubeObject = KubeObject>(
    object: KubeObject,
    options: { force?: boolean | undefined; dryRun?: boolean | undefined; fieldManager?: string | undefined } = {},
  ): Promise<T> {
    const { namespace, name } = object.metadata;
    const at = await this.#at("patch", object, { namespace, name });
    const query = {
      ...dryRun(options),
      ...this.#strict(),
      ...(options.fieldManager === undefined ? {} : { fieldManager: options.fieldManager }),
      force: options.force === true ? true : undefined,
    };
    const { managedFields: _, ...metadata } = object.metadata as KubeObject["metadata"] & { managedFields?: unknown };
    return this.#write("PATCH", at.path, at.target, query, { ...object, metadata }, "application/apply-patch+yaml");
  }

  /** `body` is a merge patch (the default), a list of JSON patch operations, or a strategic merge patch. */
  async patch<T extends KubeObject>(
    resource: Resource<T>,
    name: string,
    body: unknown,
    options: {
      type?: keyof typeof patchTypes | undefined;
      namespace?: string | undefined;
      subresource?: string | undefined;
      dryRun?: boolean | undefined;
    } = {},
  ): Promise<T> {
    const at = await this.#at("patch", resource, {
      namespace: options.namespace,
      name,
      subresource: options.subresource,
    });
    const query = { ...dryRun(options), fieldManager: this.#fieldManager };
    return this.#write("PATCH", at.path, at.target, query, body, patchTypes[options.type ?? "merge"]);
  }

  /**
   * Writes the whole object. With a resourceVersion it fails with reason `Conflict` when the object has changed since;
   * without one it overwrites.
   */
  async replace<T extends KubeObject = KubeObject>(
    object: KubeObject,
    options: { dryRun?: boolean | undefined } = {},
  ): Promise<T> {
    const { namespace, name } = object.metadata;
    const at = await this.#at("update", object, { namespace, name });
    return this.#write("PUT", at.path, at.target, { ...dryRun(options), ...this.#strict() }, object);
  }

  /**
   * False when there was nothing to delete: none of that name or, with `uid`, another object of that name.
   * The object may still be there for a while after true: its finalizers, or a pod's grace period, come first.
   */
  async delete(
    resource: Resource,
    name: string,
    options: {
      namespace?: string | undefined;
      propagation?: "Foreground" | "Background" | "Orphan" | undefined;
      uid?: string | undefined;
      dryRun?: boolean | undefined;
    } = {},
  ): Promise<boolean> {
    const at = await this.#at("delete", resource, { namespace: options.namespace, name });
    const body = {
      apiVersion: "v1",
      kind: "DeleteOptions",
      // Jobs of batch/v1 would otherwise leave their pods behind.
      propagationPolicy: options.propagation ?? "Background",
      ...(options.uid === undefined ? {} : { preconditions: { uid: options.uid } }),
      ...(options.dryRun === true ? { dryRun: ["All"] } : {}),
    };
    try {
      await this.#transport.text({ method: "DELETE", path: at.path, target: at.target, body });
      return true;
    } catch (error) {
      const otherUid =
        options.uid !== undefined &&
        error instanceof KubeError &&
        error.status === 409 &&
        /UID in (?:the )?precondition/.test(error.message);
      if (isNotFound(error) || otherUid) return false;
      throw error;
    }
  }

  /**
   * What there is (`sync`), then every change, until the signal aborts: see watch.ts for what it outlives.
   * Throws when an error will not heal, such as a missing right. `onTrouble` is told of errors that it outlives,
   * and with undefined when it works again.
   */
  async *watch<T extends KubeObject>(
    resource: Resource<T>,
    options: Scope & { signal: AbortSignal; onTrouble?: ((error: KubeError | undefined) => void) | undefined },
  ): AsyncGenerator<WatchEvent<T>, void, void> {
    const { labelSelector, fieldSelector, signal, onTrouble } = options;
    if (signal.aborted) return;
    const at = await this.#at("watch", resource, options);
    yield* watch<T>({
      transport: this.#transport,
      target: at.target,
      list: (signal) => this.#list(resource, options, signal),
      path: (query) => withQuery(at.path, { labelSelector, fieldSelector, ...query }),
      signal,
      onTrouble,
    });
  }

  /** A container's log as it is now. `previous` is that of the run before its last restart. */
  async logs(pod: string, options: LogOptions & { previous?: boolean | undefined } = {}): Promise<string> {
    const { container, tailLines, previous, namespace } = options;
    const at = await this.#at("get", { apiVersion: "v1", kind: "Pod" }, { namespace, name: pod, subresource: "log" });
    const path = withQuery(at.path, { container, tailLines, previous });
    return this.#transport.text({ method: "GET", path, target: at.target });
  }

  /**
   * A container's log, line by line, until the container or the signal ends it.
   * A lost connection is made again, and goes on after the last line that came.
   */
  async *followLogs(pod: string, options: LogOptions & { signal: AbortSignal }): AsyncGenerator<string, void, void> {
    const { container, tailLines, namespace, signal } = options;
    const at = await this.#at("get", { apiVersion: "v1", kind: "Pod" }, { namespace, name: pod, subresource: "log" });
    yield* followLogs({
      transport: this.#transport,
      target: at.target,
      path: (query) => withQuery(at.path, { container, ...query }),
      tailLines,
      signal,
    });
  }

  /** Whether the login may do this, by the server's own answer. */
  async can(verb: string, access: Access): Promise<boolean> {
    const { group = "", resource, subresource, name, namespace = this.namespace } = access;
    const review = await this.create<KubeObject & { status: { allowed: boolean } }>({
      apiVersion: "authorization.k8s.io/v1",
      kind: "SelfSubjectAccessReview",
      metadata: {},
      spec: { resourceAttributes: { verb, group, resource, subresource, name, namespace } },
    });
    return review.status.allowed;
  }

  /** Any request. Gives the answer's JSON, or its text when it is none. */
  async raw(method: string, path: string, body?: unknown): Promise<unknown> {
    const target = { verb: method.toLowerCase(), group: "", resource: path.split("?", 1)[0] ?? path };
    const text = await this.#transport.text({ method, path, target, body });
    try {
      return JSON.parse(text) as unknown;
    } catch {
      return text;
    }
  }

  /**
   * The API server's clock, in ms since the epoch, by its last answer; this machine's before there was one.
   * Times that several machines write and compare are taken from here.
   */
  serverNow(): number {
    return this.#transport.serverNow();
  }

  /** Where a kind is served: its plural, and whether it lives in namespaces. Asks the server for what is not built in. */
  async resourceName(resource: Resource): Promise<ResourceName> {
    const known = builtInName(resource);
    if (known !== undefined) return known;
    const served = await this.#discover(resource.apiVersion);
    const name = served.get(resource.kind);
    if (name !== undefined) return name;
    // Not there yet is not for ever: the definition may be installed later.
    this.#discovered.delete(resource.apiVersion);
    throw unknownKind(resource.apiVersion, resource.kind);
  }

  #discover(apiVersion: string): Promise<Map<string, ResourceName>> {
    const known = this.#discovered.get(apiVersion);
    if (known !== undefined) return known;
    const asked = this.#readApi(apiVersion);
    this.#discovered.set(apiVersion, asked);
    asked.catch(() => this.#discovered.delete(apiVersion));
    return asked;
  }

  async #readApi(apiVersion: string): Promise<Map<string, ResourceName>> {
    const path = apiRoot(apiVersion);
    try {
      const target = { verb: "discover", group: apiGroup(apiVersion), resource: apiVersion };
      const answer = JSON.parse(await this.#transport.text({ method: "GET", path, target })) as {
        resources: { name: string; kind: string; namespaced: boolean }[];
      };
      const own = answer.resources.filter((entry) => !entry.name.includes("/"));
      return new Map(own.map((entry) => [entry.kind, { plural: entry.name, namespaced: entry.namespaced }]));
    } catch (error) {
      if (error instanceof KubeError && error.status === 404) return new Map();
      throw error;
    }
  }

  async #at(
    verb: string,
    resource: Resource,
    where: { namespace?: string | null | undefined; name?: string | undefined; subresource?: string | undefined },
  ): Promise<{ path: string; target: RequestTarget }> {
    const { plural, namespaced } = await this.resourceName(resource);
    const namespace = namespaced && where.namespace !== null ? (where.namespace ?? this.namespace) : undefined;
    const parts = [
      apiRoot(resource.apiVersion),
      ...(namespace === undefined ? [] : ["namespaces", segment(namespace, "namespace")]),
      plural,
      ...(where.name === undefined ? [] : [segment(where.name, `name of a ${resource.kind}`)]),
      ...(where.subresource === undefined ? [] : [where.subresource]),
    ];
    const target: RequestTarget = {
      verb,
      group: apiGroup(resource.apiVersion),
      resource: where.subresource === undefined ? plural : `${plural}/${where.subresource}`,
      ...(namespace === undefined ? {} : { namespace }),
      ...(where.name === undefined ? {} : { name: where.name }),
    };
    return { path: parts.join("/"), target };
  }

  async #write<T>(
    method: string,
    path: string,
    target: RequestTarget,
    query: Query,
    body: unknown,
    contentType?: string,
  ): Promise<T> {
    const text = await this.#transport.text({
      method,
      path: withQuery(path, query),
      target,
      body,
      ...(contentType === undefined ? {} : { contentType }),
    });
    return JSON.parse(text) as T;
  }

  /** A field that is misspelt is refused instead of dropped. */
  #strict(): Query {
    return { fieldManager: this.#fieldManager, fieldValidation: "Strict" };
  }
}

function dryRun(options: { dryRun?: boolean | undefined }): Query {
  return options.dryRun === true ? { dryRun: "All" } : {};
}

/** An empty name, or one with a slash, would address something else. */
function segment(value: string, what: string): string {
  if (value === "" || value === "." || value === ".." || value.includes("/")) {
    throw new KubeError(`"${value}" cannot be the ${what}`, {
      reason: "BadRequest",
      hint: "Names are made of lower-case letters, digits, - and .",
    });
  }
  return encodeURIComponent(value);
}

function withQuery(path: string, query: Query): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null) parameters.set(name, String(value));
  }
  const text = parameters.toString();
  return text === "" ? path : `${path}?${text}`;
}

/** There is no such object; other than that there is no such kind, which a starting server says of custom resources. */
function isNotFound(error: unknown): boolean {
  return error instanceof KubeError && error.status === 404 && error.reason === "NotFound";
}
