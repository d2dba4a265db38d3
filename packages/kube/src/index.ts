export { KubeError, type LocalReason, type StatusCause } from "./errors.ts";
export { eventsOf, lastSeenMs } from "./events.ts";
export { Kube, type Access, type ConnectOptions, type LogOptions, type Scope } from "./kube.ts";
export {
  acquireLease,
  HeldLease,
  holderOf,
  LeaseHeld,
  LeaseLost,
  type LeaseHolder,
  type LeaseOptions,
} from "./lease.ts";
export type * from "./objects.ts";
export {
  Observation,
  observe,
  waitUntil,
  WaitTimeout,
  type Snapshot,
  type Source,
  type Sources,
  type WaitOptions,
} from "./observe.ts";
export { hashLabel, isReady } from "./pods.ts";
export { compareQuantities, formatQuantity, parseQuantity, type Quantity } from "./quantity.ts";
export { resources, type ResourceName } from "./resources.ts";
export type { WatchEvent } from "./watch.ts";
