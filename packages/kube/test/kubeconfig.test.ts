import { execFile } from "node:child_process";
import { createServer, type IncomingHttpHeaders } from "node:http";
import { once } from "node:events";
import { mkdir, rename } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { delimiter, dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { Kube, resources } from "../src/index.ts";
import { kubeconfig, temporaryFile } from "./kubeconfig-file.ts";

afterEach(() => vi.unstubAllEnvs());

describe("a kubeconfig", () => {
  test("gives server, context and namespace; options come first", async () => {
    const path = await temporaryFile(kubeconfig({ server: "https://here:1/", namespace: "shop" }));
    expect(await Kube.connect({ kubeconfig: path })).toMatchObject({ server: "https://here:1", namespace: "shop" });
    expect(await Kube.connect({ kubeconfig: path, namespace: "other" })).toMatchObject({ namespace: "other" });
  });

  test("without a namespace means default", async () => {
    const path = await temporaryFile(kubeconfig());
    expect(await Kube.connect({ kubeconfig: path })).toMatchObject({ namespace: "default" });
  });

  test("comes from all files of KUBECONFIG, the first that names something winning", async () => {
    const first = await temporaryFile(kubeconfig({ server: "https://first:1", context: "shared" }));
    const second = await temporaryFile(kubeconfig({ server: "https://second:1", context: "shared" }));
    const third = await temporaryFile(kubeconfig({ server: "https://third:1", context: "own" }));
    vi.stubEnv("KUBECONFIG", ["/does/not/exist", first, second, third].join(delimiter));
    expect(await Kube.connect()).toMatchObject({ server: "https://first:1" });
    expect(await Kube.connect({ context: "own" })).toMatchObject({ server: "https://third:1" });
  });

  test("is looked for in the home directory", async () => {
    const path = await temporaryFile(kubeconfig({ server: "https://home:1" }));
    await mkdir(`${dirname(path)}/.kube`);
    await rename(path, `${dirname(path)}/.kube/config`);
    vi.stubEnv("KUBECONFIG", "");
    vi.stubEnv("HOME", dirname(path));
    expect(await Kube.connect()).toMatchObject({ server: "https://home:1" });
  });
});

describe("a kubeconfig that does not fit", () => {
  test("is told by name when it does not exist", async () => {
    await expect(Kube.connect({ kubeconfig: "/no/config" })).rejects.toMatchObject({
      reason: "Kubeconfig",
      message: "the kubeconfig /no/config does not exist",
    });
    vi.stubEnv("KUBECONFIG", "/no/a:/no/b");
    await expect(Kube.connect()).rejects.toMatchObject({
      message: "KUBECONFIG names /no/a and /no/b, which do not exist",
    });
    vi.stubEnv("KUBECONFIG", "");
    vi.stubEnv("HOME", "/no/home");
    await expect(Kube.connect()).rejects.toMatchObject({
      message: "no kubeconfig: KUBECONFIG is not set and /no/home/.kube/config does not exist, and this is not a pod",
      hint: expect.stringContaining("KUBECONFIG"),
    });
  });

  test("is not quoted when it cannot be parsed", async () => {
    const path = await temporaryFile("users:\n- name: me\n  user:\n    token: very-secret\n   bad: [\n");
    const error = (await Kube.connect({ kubeconfig: path }).catch((error: unknown) => error)) as Error;
    expect(error.message).toContain(`cannot read the kubeconfig ${path}: `);
    expect(error.stack).not.toContain("very-secret");
    expect(error.cause).toBeUndefined();
  });

  test.for(["", "[]", "just text", "{}"])("has no contexts: %j", async (text) => {
    const path = await temporaryFile(text);
    await expect(Kube.connect({ kubeconfig: path })).rejects.toMatchObject({ reason: "Kubeconfig" });
  });

  test("lists its contexts when the one asked for is missing", async () => {
    const first = await temporaryFile(kubeconfig({ context: "prod" }));
    const second = await temporaryFile(kubeconfig({ context: "staging" }));
    vi.stubEnv("KUBECONFIG", `${first}${delimiter}${second}`);
    await expect(Kube.connect({ context: "prd" })).rejects.toMatchObject({
      message: expect.stringContaining('has no context "prd"'),
      hint: "Its contexts: prod, staging.",
    });
  });

  test("lists its contexts when none is current", async () => {
    const path = await temporaryFile(kubeconfig({ currentContext: undefined }));
    await expect(Kube.connect({ kubeconfig: path })).rejects.toMatchObject({
      message: expect.stringContaining("no current-context"),
      hint: expect.stringContaining("Its contexts: one."),
    });
  });

  test.for(["clusters", "users"])("names the context whose entry is missing in its %s", async (part) => {
    const path = await temporaryFile({ ...kubeconfig(), [part]: [] });
    const name = part === "clusters" ? "cluster" : "user";
    await expect(Kube.connect({ kubeconfig: path })).rejects.toMatchObject({
      message: expect.stringContaining(`names ${name} "one", which it does not have`),
    });
  });

  test("has a server that is no URL", async () => {
    const path = await temporaryFile(kubeconfig({ server: "localhost" }));
    await expect(Kube.connect({ kubeconfig: path })).rejects.toMatchObject({
      hint: expect.stringContaining("https://"),
    });
  });

  test("would send credentials in the clear", async () => {
    const path = await temporaryFile(kubeconfig({ server: "http://127.0.0.1:1", user: { token: "t" } }));
    const kube = await Kube.connect({ kubeconfig: path });
    await expect(kube.list(resources.Pod)).rejects.toMatchObject({ reason: "Kubeconfig", message: /plain http/ });
  });
});

describe("credentials", () => {
  test("come from a token", async () => {
    expect((await headersSent({ token: "abc" })).authorization).toBe("Bearer abc");
  });

  test("come from a user name and password", async () => {
    const { authorization } = await headersSent({ username: "ann", password: "p:w" });
    expect(authorization).toBe(`Basic ${Buffer.from("ann:p:w").toString("base64")}`);
  });

  test("come from a plugin", async () => {
    const credential = {
      apiVersion: "client.authentication.k8s.io/v1",
      kind: "ExecCredential",
      status: { token: "fresh" },
    };
    const plugin = await temporaryFile(`#!/bin/sh\necho '${JSON.stringify(credential)}'\n`, 0o700);
    expect((await headersSent({ exec: exec(plugin) })).authorization).toBe("Bearer fresh");
  });

  test("of a plugin that is not installed name it", async () => {
    await expect(headersSent({ exec: exec("no-such-plugin") })).rejects.toMatchObject({
      reason: "Credentials",
      message: expect.stringContaining("no-such-plugin is not installed"),
      hint: expect.stringContaining("PATH"),
    });
  });

  test("of a plugin that fails tell what it said", async () => {
    const plugin = await temporaryFile("#!/bin/sh\necho 'session has expired' >&2\nexit 1\n", 0o700);
    await expect(headersSent({ exec: exec(plugin) })).rejects.toMatchObject({
      reason: "Credentials",
      message: expect.stringContaining("session has expired"),
    });
  });

  test("whose certificate file is missing name it", async () => {
    const user = { "client-certificate": "/no/such.crt", "client-key": "/no/such.key" };
    await expect(headersSent(user)).rejects.toMatchObject({
      reason: "Credentials",
      message: expect.stringContaining("/no/such.crt"),
    });
  });
});

test("importing this package does not load the Kubernetes client", async () => {
  const script = `
    import { registerHooks } from "node:module";
    const seen = [];
    registerHooks({ resolve(specifier, context, next) { seen.push(specifier); return next(specifier, context); } });
    const { Kube } = await import("@safe-deploy/kube");
    const before = seen.some((specifier) => specifier.includes("client-node"));
    await Kube.connect({ kubeconfig: "/no/config" }).catch(() => {});
    console.log(before, seen.some((specifier) => specifier.includes("client-node")));
  `;
  const cwd = dirname(dirname(fileURLToPath(import.meta.url)));
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script], { cwd });
  expect(stdout.trim()).toBe("false true");
});

function exec(command: string): object {
  return { apiVersion: "client.authentication.k8s.io/v1", command, interactiveMode: "Never" };
}

/** The headers of a request that was made with this user's credentials. */
async function headersSent(user: Record<string, unknown>): Promise<IncomingHttpHeaders> {
  let headers: IncomingHttpHeaders = {};
  const server = createServer((request, response) => {
    ({ headers } = request);
    response.end("{}");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => server.closeAllConnections());
  onTestFinished(() => void server.close());
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const cluster = { "insecure-skip-tls-verify": true };
  const path = await temporaryFile(kubeconfig({ server: address, cluster, user }));
  const kube = await Kube.connect({ kubeconfig: path });
  await kube.raw("GET", "/version");
  return headers;
}
