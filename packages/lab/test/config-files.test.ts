import { load } from "js-yaml";
import { describe, expect, test } from "vitest";
import { resolveLab } from "../src/identity.ts";
import { renderConfigFiles } from "../src/node/config-files.ts";

const lab = resolveLab({ LAB_HOME: "/labs", LAB_NAME: "one" });
const files = renderConfigFiles({ lab, nodeIp: "10.77.3.2", mayLowerOomScore: false });
const yaml = (name: string) => load(files[name]!) as Record<string, unknown>;

describe("the node's configuration", () => {
  test("lets containerd start containers without CAP_SYS_RESOURCE, and only then restricts their scores", () => {
    expect(files["config/containerd.toml"]).toContain("restrict_oom_score_adj = true");
    const able = renderConfigFiles({ lab, nodeIp: "10.77.3.2", mayLowerOomScore: true });
    expect(able["config/containerd.toml"]).toContain("restrict_oom_score_adj = false");
  });

  test("has the kubelet check every request's user and right with the API server", () => {
    expect(yaml("config/kubelet.yaml")).toMatchObject({
      authentication: { anonymous: { enabled: false }, webhook: { enabled: true } },
      authorization: { mode: "Webhook" },
    });
  });

  test("gives the kubelet a cgroup of the lab's own", () => {
    expect(yaml("config/kubelet.yaml")).toMatchObject({ cgroupRoot: "/safe-deploy-one", cgroupDriver: "cgroupfs" });
  });

  test("leaves the machine's connection tracking limits alone", () => {
    expect(yaml("config/kube-proxy.yaml")).toMatchObject({
      mode: "nftables",
      conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: "0s", tcpCloseWaitTimeout: "0s" },
    });
  });

  test("answers every registry's name from the lab's registry", () => {
    for (const name of ["registry.local", "_default"]) {
      expect(files[`config/registries/${name}/hosts.toml`]).toContain('[host."http://127.0.0.1:5000"]');
    }
  });

  test("keeps the addresses of pods in the lab's own directory", () => {
    const cni = JSON.parse(files["config/cni/10-lab.conflist"]!) as { name: string; plugins: { ipam?: object }[] };
    expect(cni.name).toBe("safe-deploy-one");
    expect(cni.plugins[0]?.ipam).toMatchObject({ dataDir: "/labs/one/ipam" });
  });

  test("names no path outside the lab's directory but those of installed programs", () => {
    const paths = Object.values(files)
      .join("\n")
      .matchAll(/["' ](?:unix:\/\/)?(\/[a-z][^\s"',]*)/g);
    const elsewhere = [...paths]
      .map(([, found]) => found!)
      .filter((found) => !found.startsWith(lab.state) && found !== lab.registryData);
    expect(elsewhere.toSorted()).toEqual(["/safe-deploy-one", "/usr/lib/cni"]);
  });
});
