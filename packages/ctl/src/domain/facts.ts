/** What the chart tells the verification about the release; rendered by the chart into `release.json`. */
export interface ReleaseFacts {
  schemaVersion: 1;
  release: string;
  namespace: string;
  /** Helm's revision; always 1 where no Helm release is kept, such as under Argo CD. */
  revision: number;
  /** `myapp-0.1.0` */
  chart: string;
  workload: { kind: "Deployment" | "Rollout"; name: string };
  /** Of a Rollout: how it updates, and the Services that its controller leads. */
  rollout?: RolloutFacts;
  /** Name of the main container. */
  container: string;
  /** Labels that select every pod of the workload. */
  selector: Record<string, string>;
  service: { name: string; port: number };
  /** Where the declared checks are sent. */
  baseUrl: string;
  /** As spelled in the pod template. */
  image: string;
  /** Hash of the config version. */
  config: string;
  configMap: string;
  secret: string;
  flags: Record<string, string>;
  schema: string | null;
  deadlineSeconds: number;
  /** How many entries the ledger keeps. */
  ledgerKeep: number;
  /** Where the release's metrics are; absent in charts before it. */
  prometheus?: PrometheusFacts;
  /**
   * Hash of the pod template that this release replaces. Set where the verification is started beside the change of the
   * template instead of after it: it waits until this one is gone.
   */
  replaces?: string;
}

export interface RolloutFacts {
  strategy: "canary" | "blueGreen";
  router: string;
  /** Of a canary. */
  stableService?: string | null;
  canaryService?: string | null;
  /** Of blue-green. */
  activeService?: string | null;
  previewService?: string | null;
  /** The metric by which its gates ask a service for a verdict; absent where none does. */
  verdictMetric?: string;
}

export interface PrometheusFacts {
  /** `http://prometheus.monitoring.svc:9090` */
  address: string;
  /** Of metrics and their labels; `errorStatus` is a regular expression. */
  names: {
    hashLabel: string;
    namespaceLabel: string;
    requests: string;
    statusLabel: string;
    errorStatus: string;
    /** In seconds. */
    durationBucket: string;
  };
}

export const factsFile = "release.json";
export const checksFile = "checks.json";

/**
 * The Service of the version under test, where the checks are sent to it: the facts of a rollout's gate. Undefined where
 * they judge what everybody gets.
 */
export function serviceUnderTest(facts: Pick<ReleaseFacts, "rollout" | "baseUrl">): string | undefined {
  const service = facts.rollout?.canaryService ?? facts.rollout?.previewService;
  if (service === undefined || service === null) return undefined;
  return new URL(facts.baseUrl).hostname.split(".")[0] === service ? service : undefined;
}

/** @throws Error that names the first field that is missing or of another type. */
export function parseFacts(text: string): ReleaseFacts {
  const value: unknown = JSON.parse(text);
  if (value === null || typeof value !== "object") throw new Error(`${factsFile}: not an object`);
  const facts = value as Record<string, unknown>;
  const wanted: Record<string, string> = {
    release: "string",
    namespace: "string",
    revision: "number",
    chart: "string",
    workload: "object",
    container: "string",
    selector: "object",
    service: "object",
    baseUrl: "string",
    image: "string",
    configMap: "string",
    secret: "string",
    flags: "object",
    deadlineSeconds: "number",
    ledgerKeep: "number",
  };
  if (facts["schemaVersion"] !== 1) {
    throw new Error(`${factsFile}: schemaVersion is ${JSON.stringify(facts["schemaVersion"])}; this ctl reads 1`);
  }
  for (const [field, type] of Object.entries(wanted)) {
    if (typeof facts[field] !== type || facts[field] === null)
      throw new Error(`${factsFile}: ${field} is not ${type === "object" ? "an" : "a"} ${type}`);
  }
  return value as ReleaseFacts;
}
