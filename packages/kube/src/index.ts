export { KubeError, type LocalReason, type StatusCause } from "./errors.ts";
export { Kube, type Access, type ConnectOptions, type LogOptions, type Scope } from "./kube.ts";
export type * from "./objects.ts";
export { resources, type ResourceName } from "./resources.ts";
export type { WatchEvent } from "./watch.ts";
