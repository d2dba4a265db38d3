import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { image } from "../src/app-release.ts";
import { askPrometheus } from "../src/prometheus.ts";
import { parseReport } from "../src/report.ts";
import { rolloutArguments, routing, values } from "../src/rollout-release.ts";
import { must, type Ran, words } from "../src/run.ts";
import { VerdictService } from "../src/verdict-service.ts";
import { World } from "../src/world.ts";

// The verdict service over TLS, with its own metrics and alerts read by Prometheus.

const namespace = "e2e-verdict-tls";
const judge = "e2e-judge-tls";
const secret = "verdict-tls";
let world: World;
let service: VerdictService;
let folder: string;

async function deploy(version: string, more: string[] = []): Promise<Ran> {
  // Argo Rollouts checks no certificate by an authority of one's own.
  const over = ["--set", `analysis.sequential.service.url=https://verdict.${judge}.svc`];
  const unchecked = ["--set", "analysis.sequential.service.insecure=true", "--timeout", "240s"];
  return await world.ctl(
    rolloutArguments(namespace, version, [...values("sequential"), ...service.values, ...over, ...unchecked, ...more]),
  );
}

/** A certificate of the service's name that is its own authority. */
async function makeSecret(): Promise<void> {
  const [certificate, key] = [path.join(folder, "tls.crt"), path.join(folder, "tls.key")];
  await must("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"],
    ...["-subj", "/CN=verdict", "-addext", `subjectAltName=DNS:verdict.${judge}.svc`],
    ...["-keyout", key, "-out", certificate],
  ]);
  const files = { "tls.crt": certificate, "tls.key": key, "ca.crt": certificate };
  await world.kubectl([
    ...["create", "secret", "generic", secret, "-n", judge],
    ...Object.entries(files).map(([name, file]) => `--from-file=${name}=${file}`),
  ]);
}

beforeAll(async () => {
  world = await World.attach();
  folder = await mkdtemp(path.join(tmpdir(), "verdict-tls-"));
  await world.namespace(namespace);
  service = await VerdictService.install(world, judge, namespace);
  await makeSecret();
  const monitored = {
    tls: { secretName: secret, caKey: "ca.crt" },
    metrics: {
      annotations: false,
      serviceMonitor: { enabled: true, intervalSeconds: 5 },
      prometheusRule: { enabled: true, blindSeconds: 5 },
    },
  };
  const file = path.join(folder, "values.yaml");
  await writeFile(file, JSON.stringify(monitored));
  await service.upgrade(["-f", file]);
  const first = await deploy("v1");
  expect(first.code, words(first)).toBe(0);
});

afterAll(async () => {
  await service?.remove();
  await world?.removeNamespace(namespace);
  await rm(folder, { recursive: true, force: true });
});

test("a good version passes every gate over TLS, and Prometheus reads the service over TLS", async () => {
  const load = await world.routerLoad(`${namespace}.local`, {
    scenario: "failure",
    rate: 100,
    duration: "5m",
    paths: ["/version"],
  });
  const ran = await deploy("v2");
  await load.stop();
  expect(ran.code, words(ran)).toBe(0);
  expect(await routing(world, namespace)).toMatchObject({ image: image("v2"), isStable: true });
  await expect
    .poll(() => askPrometheus(world, `verdict_open_attempts{namespace="${judge}"}`), { timeout: 150_000 })
    .toHaveLength(1);
  expect(await askPrometheus(world, `ALERTS{alertname=~"Verdict.*",alertstate="firing"}`)).toEqual([]);
});

test("its alert fires while it is blind, before the version is taken back for it", async () => {
  const unreadable = "ports.nothing=9999,metrics.port=nothing,analysis.sequential.fallback.prometheus=false";
  const deploying = deploy("v3", ["--set", `${unreadable},analysis.sequential.policy.blind.seconds=60`]);
  await expect
    .poll(() => askPrometheus(world, `ALERTS{alertname="VerdictBlind",alertstate="firing"}`), { timeout: 150_000 })
    .toEqual([1]);
  const ran = await deploying;
  expect(ran.code, words(ran)).toBe(5);
  expect(parseReport(ran).fault?.message).toContain("cannot see");
});
