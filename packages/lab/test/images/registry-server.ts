import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { installPackages, missingPackages } from "../../src/machine/requirements.ts";

/** A real registry on loopback. Installs, as `lab up --install` does, what the machine lacks. */
export async function startRegistry(): Promise<AsyncDisposable & { address: string }> {
  const missing = missingPackages();
  if (missing.length > 0) await installPackages(missing);
  const directory = mkdtempSync(path.join(tmpdir(), "registry-"));
  const address = `127.0.0.1:${await freePort()}`;
  const config = path.join(directory, "config.yaml");
  writeFileSync(
    config,
    `version: "0.1"\nlog: {level: info}\nstorage: {filesystem: {rootdirectory: ${directory}/data}}\nhttp: {addr: "${address}"}\n`,
  );
  const server = spawn("docker-registry", ["serve", config], { stdio: ["ignore", "ignore", "pipe"] });
  for await (const line of createInterface({ input: server.stderr })) {
    if (line.includes("listening on")) break;
  }
  server.stderr.resume();
  return {
    address,
    async [Symbol.asyncDispose]() {
      const ended = once(server, "exit");
      server.kill();
      await ended;
      rmSync(directory, { recursive: true });
    },
  };
}

export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, "close");
  return port;
}
