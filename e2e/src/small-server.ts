import { image } from "./app-release.ts";
import type { World } from "./world.ts";

export interface SmallServer {
  name: string;
  port: number;
  /** CommonJS for Node, that listens on the port. */
  program: string;
  env?: Record<string, string>;
}

/**
 * Starts a pod of a few lines, and a Service that leads to it.
 * @returns its address in the cluster
 */
export async function startServer(world: World, namespace: string, o: SmallServer): Promise<string> {
  const { name, port, program, env = {} } = o;
  const labels = { app: name };
  await world.apply({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace },
    spec: { selector: labels, ports: [{ port }] },
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
          env: Object.entries(env).map(([variable, value]) => ({ name: variable, value })),
          readinessProbe: { tcpSocket: { port }, periodSeconds: 1 },
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
          resources: { requests: { cpu: "10m", memory: "32Mi" } },
        },
      ],
    },
  });
  await world.kubectl(["wait", "-n", namespace, `pod/${name}`, "--for=condition=Ready", "--timeout=120s"]);
  return `http://${name}.${namespace}.svc:${port}`;
}
