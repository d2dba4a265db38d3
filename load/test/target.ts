import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Target extends AsyncDisposable {
  baseUrl: string;
  /** Requests of the load itself, by "version status" as they were answered. */
  answered: Map<string, number>;
  /** The distinct connections that they came over. */
  connections: Set<number | undefined>;
  paths: string[];
  /** Of the last request. */
  headers: IncomingMessage["headers"];
}

/** A service on loopback that counts what it answers; `answer` gives version and status of the n-th request, from 0. */
export async function startTarget(
  answer: (n: number, request: IncomingMessage) => { version: string; status: number } | "stall",
): Promise<Target> {
  const answered = new Map<string, number>();
  const connections = new Set<number | undefined>();
  const paths: string[] = [];
  let headers: IncomingMessage["headers"] = {};
  let n = 0;
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    if (request.headers["user-agent"] === "safe-deploy-load/setup") {
      response.end();
      return;
    }
    connections.add(request.socket.remotePort);
    paths.push(request.url ?? "");
    headers = request.headers;
    const wanted = answer(n++, request);
    if (wanted === "stall") return;
    const { version, status } = wanted;
    answered.set(`${version} ${status}`, (answered.get(`${version} ${status}`) ?? 0) + 1);
    response.writeHead(status, { "x-app-version": version }).end("{}");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    answered,
    connections,
    paths,
    get headers() {
      return headers;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
