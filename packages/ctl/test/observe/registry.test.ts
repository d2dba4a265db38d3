import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { resolveImage } from "../../src/observe/registry.ts";
import { temporaryFile, temporaryFolder } from "../fixtures/files.ts";

const digest = `sha256:${"c".repeat(64)}`;

/** An HTTP server on the loopback interface until the test ends; gives `host:port`. */
async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

beforeEach(async () => {
  vi.stubEnv("DOCKER_CONFIG", await temporaryFolder());
  vi.stubEnv("CTL_REGISTRY_MIRRORS", "");
  return () => vi.unstubAllEnvs();
});

describe("a registry is asked for an image", () => {
  test("and says which digest its tag names now", async () => {
    const asked: string[] = [];
    const host = await serve((request, response) => {
      asked.push(`${request.method} ${request.url}`);
      expect(request.headers.accept).toContain("application/vnd.oci.image.index.v1+json");
      response.writeHead(200, { "docker-content-digest": digest }).end();
    });
    expect(await resolveImage(`${host}/team/app:1`)).toEqual({ state: "found", digest });
    expect(asked).toEqual(["HEAD /v2/team/app/manifests/1"]);
  });

  test("by digest where it is pinned, also when the registry does not repeat it", async () => {
    const host = await serve((request, response) => {
      response.writeHead(request.url === `/v2/app/manifests/${digest}` ? 200 : 404).end();
    });
    expect(await resolveImage(`${host}/app:1@${digest}`)).toEqual({ state: "found", digest });
  });

  test("that it does not have", async () => {
    const host = await serve((_request, response) => void response.writeHead(404).end());
    const resolution = await resolveImage(`${host}/app:nope`);
    expect(resolution).toEqual({ state: "missing", why: `registry ${host} has no image ${host}/app:nope` });
  });

  test("and an answer without a digest is no answer", async () => {
    const host = await serve((_request, response) => void response.writeHead(200).end());
    expect(await resolveImage(`${host}/app:1`)).toMatchObject({ state: "unknown" });
  });

  test.each([401, 403, 429, 500, 503])("that answers %i: nothing is known about the image", async (status) => {
    const host = await serve((_request, response) => void response.writeHead(status).end());
    const resolution = await resolveImage(`${host}/app:1`);
    expect(resolution.state).toBe("unknown");
    expect(resolution).toMatchObject({ why: expect.stringContaining(String(status)) as string });
  });

  test("that nobody answers for: nothing is known either, and the cause is named", async () => {
    // The port was in use a moment ago, so that nothing else has it.
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    const resolution = await resolveImage(`127.0.0.1:${port}/app:1`);
    expect(resolution).toEqual({
      state: "unknown",
      why: `registry 127.0.0.1:${port} cannot be asked: ECONNREFUSED`,
    });
  });

  test("whose name is none", async () => {
    expect(await resolveImage("My App")).toMatchObject({ state: "missing" });
  });
});

describe("a registry with token authentication", () => {
  async function registry(o: { token: (request: IncomingMessage, response: ServerResponse) => void }) {
    const host: string = await serve((request, response) => {
      if (request.url?.startsWith("/token") === true) o.token(request, response);
      else if (request.headers.authorization === "Bearer secret") {
        response.writeHead(200, { "docker-content-digest": digest }).end();
      } else {
        const challenge = `Bearer realm="http://${host}/token",service="registry",scope="repository:app:pull"`;
        response.writeHead(401, { "www-authenticate": challenge }).end();
      }
    });
    return host;
  }

  test("gets the token for what it asks for", async () => {
    const asked: (string | undefined)[] = [];
    const host = await registry({
      token: (request, response) => {
        asked.push(request.url);
        response.end(JSON.stringify({ access_token: "secret" }));
      },
    });
    expect(await resolveImage(`${host}/app:1`)).toEqual({ state: "found", digest });
    expect(asked).toEqual(["/token?service=registry&scope=repository%3Aapp%3Apull"]);
  });

  test("gets it with the credentials of Docker's config file", async () => {
    const seen: (string | undefined)[] = [];
    const host = await registry({
      token: (request, response) => {
        seen.push(request.headers.authorization);
        response.end(JSON.stringify({ token: "secret" }));
      },
    });
    const auth = Buffer.from("me:pass").toString("base64");
    const file = await temporaryFile("config.json", JSON.stringify({ auths: { [host]: { auth } } }));
    vi.stubEnv("DOCKER_CONFIG", dirname(file));
    expect(await resolveImage(`${host}/app:1`)).toEqual({ state: "found", digest });
    expect(seen).toEqual([`Basic ${auth}`]);
  });

  test.each([
    ["refuses them", (_: IncomingMessage, response: ServerResponse) => void response.writeHead(401).end("{}")],
    ["answers with a page", (_: IncomingMessage, response: ServerResponse) => void response.end("<html>")],
    ["gives another token", (_: IncomingMessage, response: ServerResponse) => void response.end('{"token":"x"}')],
  ])("that %s says nothing about the image", async (_what, token) => {
    expect(await resolveImage(`${await registry({ token })}/app:1`)).toMatchObject({ state: "unknown" });
  });
});

test("a registry is reached where CTL_REGISTRY_MIRRORS says", async () => {
  const host = await serve((request, response) => {
    response.writeHead(request.url === "/v2/myapp/manifests/1" ? 200 : 404, { "docker-content-digest": digest }).end();
  });
  vi.stubEnv("CTL_REGISTRY_MIRRORS", `other.local=http://127.0.0.1:1,registry.local=http://${host}/`);
  expect(await resolveImage("registry.local/myapp:1")).toEqual({ state: "found", digest });
  const other = await resolveImage("other.local/myapp:1");
  expect(other.state).toBe("unknown");
});
