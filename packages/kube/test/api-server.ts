import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { Kube } from "../src/index.ts";
import { ensureTools } from "../../lab/src/toolchain/tools.ts";

const exec = promisify(execFile);

export interface ApiServer {
  /** Contexts: admin (may do all), viewer (client certificate without rights), robot (token without rights), expired. */
  kubeconfig: string;
  /** Holds the id of the kube-apiserver process, which is started again whenever it ends. */
  pidFile: string;
  stop(): Promise<void>;
}

/** A real kube-apiserver with RBAC on a real etcd, on the loopback interface. No controllers, no nodes. */
export async function startApiServer(): Promise<ApiServer> {
  const { kube } = await ensureTools(["kube"]);
  const directory = await mkdtemp(join(tmpdir(), "kube-test-"));
  const processes = new Set<ChildProcess>();
  let stopping = false;

  function start(name: string, program: string, args: string[]): ChildProcess {
    const log = openSync(join(directory, `${name}.log`), "a");
    const child = spawn(program, args, { stdio: ["ignore", log, log] });
    processes.add(child);
    child.once("exit", () => processes.delete(child));
    return child;
  }

  async function stop(): Promise<void> {
    stopping = true;
    await Promise.all(
      [...processes].map(async (child) => {
        const ended = once(child, "exit");
        child.kill("SIGKILL");
        await ended;
      }),
    );
    await rm(directory, { recursive: true, force: true });
  }

  try {
    const [client, peer, secure] = await freePorts(3);
    const etcdUrl = `http://127.0.0.1:${client}`;
    const etcd = start("etcd", "etcd", [
      `--data-dir=${directory}/etcd`,
      `--listen-client-urls=${etcdUrl}`,
      `--advertise-client-urls=${etcdUrl}`,
      `--listen-peer-urls=http://127.0.0.1:${peer}`,
      "--unsafe-no-fsync",
    ]);
    etcd.once("error", () => undefined);
    await once(etcd, "spawn").catch((cause: unknown) => {
      throw new Error("etcd is needed for these tests: apt-get install etcd-server", { cause });
    });
    await makeCertificates(directory);
    await writeFile(join(directory, "tokens.csv"), "token-of-the-robot,robot,robot\n");
    const kubeconfig = join(directory, "kubeconfig");
    await writeFile(kubeconfig, await kubeconfigFor(directory, `https://127.0.0.1:${secure}`));

    const pidFile = join(directory, "apiserver.pid");
    async function run(): Promise<void> {
      const server = start("apiserver", kube, [
        "kube-apiserver",
        `--etcd-servers=${etcdUrl}`,
        "--bind-address=127.0.0.1",
        `--secure-port=${secure}`,
        `--tls-cert-file=${directory}/server.crt`,
        `--tls-private-key-file=${directory}/server.key`,
        `--client-ca-file=${directory}/ca.crt`,
        `--token-auth-file=${directory}/tokens.csv`,
        `--service-account-key-file=${directory}/server.crt`,
        `--service-account-signing-key-file=${directory}/server.key`,
        "--service-account-issuer=https://kubernetes.default.svc",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--authorization-mode=RBAC",
        "--disable-admission-plugins=ServiceAccount",
      ]);
      server.once("exit", () => {
        if (!stopping) void run();
      });
      await writeFile(pidFile, String(server.pid));
    }
    await run();
    await ready(kubeconfig, directory);
    return { kubeconfig, pidFile, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function ready(kubeconfig: string, directory: string): Promise<void> {
  const kube = await Kube.connect({ kubeconfig });
  const until = Date.now() + 60_000;
  for (;;) {
    try {
      await kube.raw("GET", "/readyz");
      return;
    } catch (error) {
      if (Date.now() > until) {
        const log = await readFile(join(directory, "apiserver.log"), "utf8");
        throw new Error(`kube-apiserver is not ready. The end of its log:\n${log.slice(-3000)}`, { cause: error });
      }
      await delay(50);
    }
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, "127.0.0.1");
      await once(server, "listening");
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}

async function makeCertificates(directory: string): Promise<void> {
  const openssl = (...args: string[]) => exec("openssl", args, { cwd: directory });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  await openssl("req", "-x509", ...key, "-keyout", "ca.key", "-out", "ca.crt", "-days", "2", "-subj", "/CN=test-ca");
  await writeFile(join(directory, "server.ext"), "subjectAltName=IP:127.0.0.1,DNS:localhost\n");
  const certificates = [
    { name: "server", subject: "/CN=kube-apiserver", days: "2", extra: ["-extfile", "server.ext"] },
    { name: "admin", subject: "/O=system:masters/CN=admin", days: "2", extra: [] },
    { name: "viewer", subject: "/CN=viewer", days: "2", extra: [] },
    { name: "expired", subject: "/O=system:masters/CN=expired", days: "-1", extra: [] },
  ];
  for (const { name, subject, days, extra } of certificates) {
    const [request, out] = [`${name}.csr`, `${name}.crt`];
    await openssl("req", ...key, "-keyout", `${name}.key`, "-out", request, "-subj", subject);
    const signed = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", days, ...extra];
    await openssl("x509", "-req", "-in", request, ...signed, "-out", out);
  }
}

async function kubeconfigFor(directory: string, server: string): Promise<string> {
  const names = ["admin", "viewer", "expired"];
  const users = names.map((name) => ({
    name,
    user: { "client-certificate": `${name}.crt`, "client-key": `${name}.key` },
  }));
  const ca = await readFile(join(directory, "ca.crt"));
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "test", cluster: { server, "certificate-authority-data": ca.toString("base64") } }],
    users: [...users, { name: "robot", user: { token: "token-of-the-robot" } }],
    contexts: [...names, "robot"].map((name) => ({
      name,
      context: { cluster: "test", user: name, namespace: "test" },
    })),
    "current-context": "admin",
  });
}
