import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { CHART, IMAGES, type Manifest, render, type Rendered } from "./support/helm.ts";

/** `minimal` takes the chart's own security settings away, to show that they can be. */
const files = readdirSync(join(CHART, "ci")).filter((name) => name !== "minimal-values.yaml");

/**
 * What of the Pod Security standard "restricted" a pod breaks.
 * Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/, baseline and restricted.
 */
function violations(pod: Manifest): string[] {
  const found: string[] = [];
  const allowedVolumes = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
  ];
  for (const field of ["hostNetwork", "hostPID", "hostIPC"]) if (pod[field]) found.push(field);
  for (const { name, ...source } of pod.volumes ?? []) {
    for (const type of Object.keys(source))
      if (!allowedVolumes.includes(type)) found.push(`volume ${name} is a ${type}`);
  }
  for (const container of [...(pod.initContainers ?? []), ...pod.containers]) {
    const own = container.securityContext ?? {};
    const effective = { ...pod.securityContext, ...own };
    const say = (what: string) => found.push(`${container.name}: ${what}`);
    if (own.allowPrivilegeEscalation !== false) say("allowPrivilegeEscalation is not false");
    if (own.privileged) say("privileged");
    if (effective.runAsNonRoot !== true) say("runAsNonRoot is not true");
    if (effective.runAsUser === 0) say("runAsUser is 0");
    if (!own.capabilities?.drop?.includes("ALL")) say("does not drop ALL capabilities");
    if ((own.capabilities?.add ?? []).some((name: string) => name !== "NET_BIND_SERVICE")) say("adds capabilities");
    if (!["RuntimeDefault", "Localhost"].includes(effective.seccompProfile?.type)) say("no seccomp profile");
    if (![undefined, "Default"].includes(own.procMount)) say("procMount");
    if ((container.ports ?? []).some((port: Manifest) => port.hostPort)) say("hostPort");
  }
  return found;
}

/** All that makes pods: the service, the hooks, and the Jobs of a rollout's gates. */
function workloadsOf(rendered: Rendered): Manifest[] {
  const gates = rendered
    .all("AnalysisTemplate")
    .flatMap(({ metadata, spec }) =>
      spec.metrics.map(({ provider }: Manifest) => ({ kind: "AnalysisTemplate", metadata, spec: provider.job?.spec })),
    )
    .filter(({ spec }) => spec !== undefined);
  return [...["Deployment", "Rollout", "Job"].flatMap((kind) => rendered.all(kind)), ...gates];
}

test.each(files)("every pod of %s is within the restricted standard", async (ci) => {
  const rendered = await render(ci === "lab-values.yaml" ? IMAGES : {}, { ci });
  const workloads = workloadsOf(rendered);
  expect(workloads.length).toBeGreaterThanOrEqual(3);
  for (const { kind, metadata, spec } of workloads) {
    expect(violations(spec.template.spec), `${kind}/${metadata.name}`).toEqual([]);
  }
});

test.each(files)("every container of %s that is the chart's has a read-only root, requests and limits", async (ci) => {
  const rendered = await render(ci === "lab-values.yaml" ? IMAGES : {}, { ci });
  const pods = workloadsOf(rendered).map((workload) => workload.spec.template.spec);
  for (const { containers } of pods) {
    const [container] = containers;
    expect(container.securityContext.readOnlyRootFilesystem).toBe(true);
    for (const part of ["requests", "limits"]) {
      expect(Object.keys(container.resources[part]).sort(), container.name).toEqual(["cpu", "memory"]);
    }
  }
});

test("the check of the standard finds what the minimal values leave open", async () => {
  const rendered = await render({}, { ci: "minimal-values.yaml" });
  expect(violations(rendered.pod)).toEqual([
    "app: allowPrivilegeEscalation is not false",
    "app: runAsNonRoot is not true",
    "app: does not drop ALL capabilities",
    "app: no seccomp profile",
  ]);
});

test("so is the verdict service's, and the Job that judges in its place", async () => {
  const chart = join(CHART, "../verdict");
  const service = await render({ image: { tag: "v1" }, tls: { secretName: "verdict-tls" } }, { chart });
  const job = { form: "job", job: { image: { tag: "v1" } } };
  const judged = await render({ analysis: { sequential: job } }, { ci: "sequential-values.yaml" });
  const gate = judged.get("AnalysisTemplate", "myapp-sequential").spec.metrics[0].provider.job.spec;
  for (const { template } of [service.deployment.spec, gate]) expect(violations(template.spec)).toEqual([]);
});
