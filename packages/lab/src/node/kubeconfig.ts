import { readFileSync } from "node:fs";
import type { Lab } from "../identity.ts";
import { pkiFile } from "./certificates.ts";

/** A kubeconfig, in JSON (which is YAML), that carries its certificates and so works from any directory. */
export function renderKubeconfig(o: {
  name: string;
  server: string;
  authority: Buffer;
  certificate: Buffer;
  key: Buffer;
}): string {
  return JSON.stringify(
    {
      apiVersion: "v1",
      kind: "Config",
      clusters: [
        { name: o.name, cluster: { server: o.server, "certificate-authority-data": o.authority.toString("base64") } },
      ],
      users: [
        {
          name: o.name,
          user: {
            "client-certificate-data": o.certificate.toString("base64"),
            "client-key-data": o.key.toString("base64"),
          },
        },
      ],
      contexts: [{ name: o.name, context: { cluster: o.name, user: o.name } }],
      "current-context": o.name,
    },
    undefined,
    2,
  );
}

/** The kubeconfig of one of the lab's users, by the name of its certificate. */
export function userKubeconfig(lab: Lab, user: string, nodeIp: string): string {
  return renderKubeconfig({
    name: lab.name,
    server: `https://${nodeIp}:6443`,
    authority: readFileSync(pkiFile(lab, "ca.crt")),
    certificate: readFileSync(pkiFile(lab, `${user}.crt`)),
    key: readFileSync(pkiFile(lab, `${user}.key`)),
  });
}
