import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Kube, type ConfigMap } from "../src/index.ts";
import { kubeconfig, temporaryFile } from "./kubeconfig-file.ts";

interface Change {
  version: number;
  type: "ADDED" | "MODIFIED" | "DELETED";
  object: ConfigMap;
}

export type Fault =
  | { status: number; body?: string; headers?: Record<string, string>; cut?: true } // cut: the connection breaks after the body
  | "reset" // the connection breaks before an answer
  | "silence"; // no answer at all

/**
 * ConfigMaps of the namespace `test` over real sockets, with the means to go wrong that a real API server does not offer:
 * broken connections, forgotten versions, answers of one's choice.
 */
export class FakeApiServer implements AsyncDisposable {
  readonly objects = new Map<string, ConfigMap>();
  /** "METHOD path?query" of every request. */
  readonly requests: string[] = [];
  /** Called with every request before it is answered. */
  onRequest: (request: string) => void = () => undefined;
  #version = 1;
  #oldest = 0;
  #history: Change[] = [];
  #faults: { fault: Fault; matches: (request: string) => boolean }[] = [];
  #watches = new Set<ServerResponse>();
  #server: Server;
  #port = 0;

  private constructor() {
    this.#server = this.#make();
  }

  static async start(): Promise<FakeApiServer> {
    const fake = new FakeApiServer();
    await fake.up();
    return fake;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get watching(): number {
    return this.#watches.size;
  }

  get version(): number {
    return this.#version;
  }

  async connect(): Promise<Kube> {
    const path = await temporaryFile(
      kubeconfig({
        server: this.url,
        cluster: { "insecure-skip-tls-verify": true },
        user: { token: "my-secret-token" },
        context: "fake",
        namespace: "test",
      }),
    );
    return Kube.connect({ kubeconfig: path });
  }

  put(name: string, data: Record<string, string>): void {
    const type = this.objects.has(name) ? "MODIFIED" : "ADDED";
    this.#record(type, { ...this.#meta(name), data });
  }

  remove(name: string): void {
    const object = this.objects.get(name);
    if (object !== undefined) this.#record("DELETED", { ...this.#meta(name), data: object.data ?? {} });
  }

  /** Tells the watches the current version without a change. */
  bookmark(): void {
    this.#version += 1;
    const metadata = { name: "", resourceVersion: String(this.#version) };
    this.#send({ type: "BOOKMARK", object: { apiVersion: "v1", kind: "ConfigMap", metadata } });
  }

  /** Forgets the changes up to now: watches from before get 410. */
  compact(): void {
    this.#oldest = this.#version;
    this.#history = [];
  }

  /** Writes text of one's choice to every watch. */
  say(text: string): void {
    for (const watch of this.#watches) watch.write(text);
  }

  /** Sends an ERROR event to every watch. */
  error(code: number, reason: string): void {
    this.#send({ type: "ERROR", object: { kind: "Status", code, reason, message: reason } });
  }

  /** Breaks the connections of all watches. */
  drop(): void {
    for (const watch of this.#watches) watch.destroy();
    this.#watches.clear();
  }

  /** Ends all watches in order. */
  end(): void {
    for (const watch of this.#watches) watch.end();
    this.#watches.clear();
  }

  /** The next requests whose text contains `part` go wrong, one fault each. */
  fail(part: string, ...faults: Fault[]): void {
    this.#faults.push(...faults.map((fault) => ({ fault, matches: (request: string) => request.includes(part) })));
  }

  async up(): Promise<void> {
    if (!this.#server.listening) this.#server = this.#make();
    this.#server.listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async down(): Promise<void> {
    this.drop();
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down();
  }

  #make(): Server {
    return createServer((request, response) => this.#answer(request, response));
  }

  #meta(name: string): ConfigMap {
    const resourceVersion = String(this.#version + 1);
    return { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: "test", uid: name, resourceVersion } };
  }

  #record(type: Change["type"], object: ConfigMap): void {
    this.#version += 1;
    if (type === "DELETED") this.objects.delete(object.metadata.name);
    else this.objects.set(object.metadata.name, object);
    this.#history.push({ version: this.#version, type, object });
    this.#send({ type, object });
  }

  #send(event: unknown): void {
    this.say(`${JSON.stringify(event)}\n`);
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const text = `${request.method} ${request.url}`;
    this.requests.push(text);
    this.onRequest(text);
    const index = this.#faults.findIndex(({ matches }) => matches(text));
    if (index >= 0) {
      const [{ fault } = { fault: "reset" as const }] = this.#faults.splice(index, 1);
      this.#misbehave(fault, response);
      return;
    }
    const url = new URL(request.url ?? "/", this.url);
    if (request.method !== "GET" || url.pathname !== "/api/v1/namespaces/test/configmaps") {
      status(response, 404, "NotFound", `the fake does not serve ${text}`);
    } else if (url.searchParams.get("watch") === "true") {
      this.#watch(Number(url.searchParams.get("resourceVersion")), response);
    } else {
      const metadata = { resourceVersion: String(this.#version) };
      json(response, 200, { kind: "ConfigMapList", apiVersion: "v1", metadata, items: [...this.objects.values()] });
    }
  }

  #watch(from: number, response: ServerResponse): void {
    if (from < this.#oldest) {
      status(response, 410, "Expired", "too old resource version");
      return;
    }
    response.writeHead(200, { "Content-Type": "application/json" });
    response.flushHeaders();
    for (const { version, type, object } of this.#history) {
      if (version > from) response.write(`${JSON.stringify({ type, object })}\n`);
    }
    this.#watches.add(response);
    response.once("close", () => this.#watches.delete(response));
  }

  #misbehave(fault: Fault, response: ServerResponse): void {
    if (fault === "silence") return;
    if (fault === "reset") {
      response.socket?.resetAndDestroy();
      return;
    }
    response.writeHead(fault.status, fault.headers);
    if (fault.cut) response.write(fault.body ?? "", () => response.destroy());
    else response.end(fault.body ?? "");
  }
}

/** The body of a refusal as an API server writes it. */
export function statusBody(code: number, reason: string, message: string, details?: unknown): string {
  return JSON.stringify({ kind: "Status", apiVersion: "v1", status: "Failure", message, reason, code, details });
}

function status(response: ServerResponse, code: number, reason: string, message: string): void {
  response.writeHead(code, { "Content-Type": "application/json" });
  response.end(statusBody(code, reason, message));
}

function json(response: ServerResponse, code: number, body: unknown): void {
  response.writeHead(code, { "Content-Type": "application/json" });
  response.end(JSON.stringify(body));
}
