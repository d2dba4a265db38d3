import { image } from "./app-release.ts";
import type { World } from "./world.ts";

/** Whatever it is asked, the answer is the best there is; only late. */
const program = `
const best = JSON.stringify({ status: "success", data: { resultType: "vector", result: [{ metric: {}, value: [0, "0"] }] } });
require("node:http").createServer((request, response) => {
  request.resume();
  setTimeout(() => {
    response.setHeader("content-type", "application/json");
    response.end(best);
  }, Number(process.env.DELAY_MS));
}).listen(9090);
`;

/**
 * Starts something that answers as Prometheus does, after so many seconds.
 * @returns its address in the cluster
 */
export async function startSlowPrometheus(world: World, namespace: string, seconds: number): Promise<string> {
  const name = "slow-prometheus";
  const labels = { app: name };
  await world.apply({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace },
    spec: { selector: labels, ports: [{ port: 9090 }] },
  });
  await world.apply({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace, labels },
    spec: {
      terminationGracePeriodSeconds: 0,
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: "RuntimeDefault" } },
      containers: [
        {
          name,
          image: image("v1"),
          command: ["node", "-e", program],
          env: [{ name: "DELAY_MS", value: String(seconds * 1000) }],
          readinessProbe: { tcpSocket: { port: 9090 }, periodSeconds: 1 },
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
          resources: { requests: { cpu: "10m", memory: "32Mi" } },
        },
      ],
    },
  });
  await world.kubectl(["wait", "-n", namespace, `pod/${name}`, "--for=condition=Ready", "--timeout=120s"]);
  return `http://${name}.${namespace}.svc:9090`;
}
