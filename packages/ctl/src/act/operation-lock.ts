import { hostname } from "node:os";
import { acquireLease, type Kube, type KubeObject, LeaseHeld, resources } from "@safe-deploy/kube";
import type { Operation } from "../domain/operation.ts";
import { operationName, readOperation } from "../observe/read-operation.ts";
import { CtlError } from "../errors.ts";
import { endOrphans } from "./orphans.ts";
import { processIdentity, stateOf } from "./process-identity.ts";

/** The right to change a release, held through its Lease by one ctl at a time. */
export interface OperationLock {
  /** What a ctl that died was doing; its child processes have been ended. */
  left: Operation | undefined;
  /** Aborts when the Lease is lost, such as after a long suspend of this process. */
  lost: AbortSignal;
  /** Writes down what is being done, for a ctl that may have to finish it. */
  record(operation: Operation): Promise<void>;
  /** Says that nothing is left to finish. */
  finish(): Promise<void>;
  release(): Promise<void>;
}

const leaseSeconds = 15;

export function leaseName(release: string): string {
  return `${release}-ctl`;
}

/** @throws CtlError CTL_E_LOCKED while another ctl holds it. */
export async function lockRelease(kube: Kube, release: string, say: (line: string) => void): Promise<OperationLock> {
  const name = leaseName(release);
  const lease = await acquireLease(kube, {
    name,
    holder: `ctl, process ${process.pid} on ${hostname()}`,
    about: { process: processIdentity() },
    durationSeconds: leaseSeconds,
    canTakeOver: ({ about }) => stateOf(about["process"] ?? "") === "gone",
  }).catch((error: unknown) => {
    if (!(error instanceof LeaseHeld)) throw error;
    throw new CtlError(
      "CTL_E_LOCKED",
      `${error.holder.holder} is changing release "${release}", since ${error.holder.acquiredAt.toISOString()}`,
      {
        next: `ctl wait --release ${release} -n ${kube.namespace}`,
        cause: error,
      },
    );
  });

  const left = await readOperation(kube, release);
  if (left !== undefined) {
    const ended = await endOrphans(left.id);
    if (ended.length > 0)
      say(`ended the helm that an interrupted ${left.kind} had left running (process ${ended.join(", ")})`);
  }
  return {
    left,
    lost: lease.signal,
    async record(operation) {
      await kube.apply(operationObject(operation, release, kube.namespace), { force: true });
    },
    async finish() {
      await kube.delete(resources.ConfigMap, operationName(release));
    },
    release: () => lease.release(),
  };
}

function operationObject(operation: Operation, release: string, namespace: string): KubeObject {
  const { apiVersion, kind } = resources.ConfigMap;
  return {
    apiVersion,
    kind,
    metadata: { name: operationName(release), namespace, labels: { "safe-deploy.dev/operation": release } },
    data: { "operation.json": JSON.stringify(operation, null, 2) },
  };
}
