import { X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { resolveLab, type Lab } from "../src/identity.ts";
import { certificateRequests, ensureCertificates, pkiFile } from "../src/node/certificates.ts";
import { userKubeconfig } from "../src/node/kubeconfig.ts";

let home: string;
let lab: Lab;
const certificate = (name: string) => new X509Certificate(readFileSync(pkiFile(lab, `${name}.crt`)));
const names = Object.keys(certificateRequests({ name: "x", ip: "10.77.0.2" }));
const texts = (): Record<string, string> =>
  Object.fromEntries(["ca", ...names].map((name) => [name, certificate(name).fingerprint256]));

beforeAll(async () => {
  home = mkdtempSync(path.join(tmpdir(), "lab-pki-"));
  lab = resolveLab({ LAB_HOME: home, LAB_NAME: "one" });
  await ensureCertificates(lab, "10.77.0.2");
});

afterAll(() => rmSync(home, { recursive: true }));

describe("the lab's certificates", () => {
  test("are each signed by the authority that their reader trusts, and by no other", () => {
    const authorities = ["ca", "etcd-ca", "front-proxy-ca"];
    for (const [name, request] of Object.entries(certificateRequests({ name: "one", ip: "10.77.0.2" }))) {
      const signers = authorities.filter((authority) => certificate(name).verify(certificate(authority).publicKey));
      expect([name, ...signers]).toEqual([name, request.authority]);
    }
  });

  test("make only the admin a cluster administrator", () => {
    expect(names.filter((name) => certificate(name).subject.includes("system:masters"))).toEqual(["admin"]);
  });

  test("name the kubelet's node as the Node authorizer wants it", () => {
    expect(certificate("kubelet").subject.split("\n").toSorted()).toEqual(["CN=system:node:one", "O=system:nodes"]);
  });

  test("let the API server be reached under its address and its names in the cluster", () => {
    const serving = certificate("apiserver");
    expect(serving.checkIP("10.77.0.2")).toBe("10.77.0.2");
    expect(serving.checkIP("10.96.0.1")).toBe("10.96.0.1");
    expect(serving.checkHost("kubernetes.default.svc")).toBe("kubernetes.default.svc");
  });

  test("cannot sign others", () => {
    expect(names.filter((name) => certificate(name).ca)).toEqual([]);
  });

  test("have keys that only their owner can read", () => {
    const open = ["ca", "admin", "service-accounts"].filter(
      (name) => statSync(pkiFile(lab, `${name}.key`)).mode & 0o077,
    );
    expect(open).toEqual([]);
  });

  test("stay when they fit", async () => {
    const before = texts();
    await ensureCertificates(lab, "10.77.0.2");
    expect(texts()).toEqual(before);
  });

  test("are made again where one was cut off by a crash", async () => {
    const before = texts();
    writeFileSync(pkiFile(lab, "scheduler.crt"), "-----BEGIN CERTI");
    await ensureCertificates(lab, "10.77.0.2");
    const changed = names.filter((name) => texts()[name] !== before[name]);
    expect(changed).toEqual(["scheduler"]);
  });

  test("of servers are made again for another address, under the same authorities", async () => {
    const before = texts();
    await ensureCertificates(lab, "10.77.4.2");
    const after = texts();
    const changed = Object.keys(before).filter((name) => after[name] !== before[name]);
    expect(changed.toSorted()).toEqual(["apiserver", "etcd", "node"]);
    expect(certificate("apiserver").checkIP("10.77.4.2")).toBe("10.77.4.2");
  });

  test("are carried by a kubeconfig that works from any directory", () => {
    const text = userKubeconfig(lab, "admin", "10.77.0.2");
    expect(text).not.toContain(home);
    const { clusters, users } = JSON.parse(text) as {
      clusters: { cluster: { server: string; "certificate-authority-data": string } }[];
      users: { user: { "client-certificate-data": string } }[];
    };
    expect(clusters[0]?.cluster.server).toBe("https://10.77.0.2:6443");
    const embedded = new X509Certificate(Buffer.from(users[0]!.user["client-certificate-data"], "base64"));
    expect(embedded.fingerprint256).toBe(certificate("admin").fingerprint256);
  });
});
