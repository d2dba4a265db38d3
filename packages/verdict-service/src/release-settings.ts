import { type Bad, checkPolicy, type Plan, type Policy, PolicyError, type Rule } from "@safe-deploy/verdict";

/** The annotation of a Rollout that asks for verdicts, and says how to judge. The chart writes it. */
export const settingsAnnotation = "safe-deploy.dev/verdict";

/** How the counters of a service are found in what its pods export. */
export interface MetricNames {
  /** Counter of requests. */
  requests: string;
  /** Its label with the status. */
  statusLabel: string;
  /** Statuses that are errors, a regular expression that the whole status must match. */
  errorStatus: string;
  /** Its label with the route, for events of some routes only. */
  routeLabel: string;
  /** Buckets of the histogram of durations, in seconds. */
  durationBucket: string;
}

/** Which requests an event counts: both must match, each a regular expression for the whole label. */
export interface EventMatch {
  status?: string;
  route?: string;
}

/** Where samples come from while the pods themselves cannot be reached. */
export interface PrometheusSource {
  address: string;
  namespaceLabel: string;
  hashLabel: string;
  /** Between two of its scrapes, in seconds. */
  scrapeSeconds: number;
}

/** What a release fixed before its rollout began. */
export interface ReleaseSettings {
  policy: Policy;
  plan: Plan;
  /** Where each pod exports its counters. */
  metrics: { port: number; path: string };
  names: MetricNames;
  events: Record<string, EventMatch>;
  prometheus?: PrometheusSource;
}

/** Settings that cannot be used, with every reason. */
export class SettingsError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`the annotation ${settingsAnnotation} cannot be used: ${problems.join("; ")}`);
    this.name = "SettingsError";
    this.problems = problems;
  }
}

type Json = Record<string, unknown>;

/** @throws SettingsError listing every problem with its path. */
export function parseSettings(text: string): ReleaseSettings {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new SettingsError([`it is no JSON: ${(error as Error).message}`]);
  }
  const problems: string[] = [];
  const root = new Reader(value, "", problems);
  const schemaVersion = root.number("schemaVersion");
  if (problems.length === 0 && schemaVersion !== 1) {
    throw new SettingsError([`schemaVersion is ${schemaVersion}; this service reads 1`]);
  }
  const settings: ReleaseSettings = {
    policy: readPolicy(root.object("policy")),
    plan: readPlan(root.object("plan")),
    metrics: { port: root.object("metrics").number("port"), path: root.object("metrics").text("path") },
    names: readNames(root.object("names")),
    events: Object.fromEntries(root.object("events").entries().map(readEvent)),
    ...(root.has("prometheus") ? { prometheus: readPrometheus(root.object("prometheus")) } : {}),
  };
  if (problems.length > 0) throw new SettingsError(problems);
  checkTogether(settings);
  return settings;
}

/** What each field for itself cannot show. @throws SettingsError */
function checkTogether({ policy, plan, names, events }: ReleaseSettings): void {
  const problems: string[] = [];
  try {
    checkPolicy(policy, plan);
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    problems.push(...error.problems.map((problem) => `policy: ${problem}`));
  }
  for (const { name, bad, source } of policy.rules) {
    if (source !== "app") problems.push(`policy: rule ${name} asks the router, and only pods are read`);
    if (bad.kind === "event" && events[bad.name] === undefined) {
      problems.push(`events: there is no ${bad.name}, which rule ${name} counts`);
    }
  }
  const patterns: [string, string | undefined][] = [
    ["names.errorStatus", names.errorStatus],
    ...Object.entries(events).flatMap(([name, { status, route }]): [string, string | undefined][] => [
      [`events.${name}.status`, status],
      [`events.${name}.route`, route],
    ]),
  ];
  for (const [path, pattern] of patterns) {
    try {
      if (pattern !== undefined) void new RegExp(pattern);
    } catch (error) {
      problems.push(`${path}: ${(error as Error).message}`);
    }
  }
  if (problems.length > 0) throw new SettingsError(problems);
}

function readPolicy(policy: Reader): Policy {
  const blind = policy.object("blind");
  return {
    rules: policy.list("rules").map(readRule),
    alpha: policy.number("alpha"),
    beta: policy.number("beta"),
    phi: policy.number("phi"),
    warmUpSeconds: policy.number("warmUpSeconds"),
    staleSeconds: policy.number("staleSeconds"),
    blind: {
      seconds: blind.number("seconds"),
      atDeadline: blind.choice("atDeadline", ["fail", "inconclusive"] as const),
    },
    hardEvidence: policy
      .list("hardEvidence")
      .map((kind) => kind.choice(undefined, ["outOfMemory", "crash", "restart"] as const)),
    ...(policy.has("budget") ? { budget: policy.number("budget") } : {}),
  };
}

function readRule(rule: Reader): Rule {
  const absolute = rule.has("absolute") ? rule.object("absolute") : undefined;
  const relative = rule.has("relative") ? rule.object("relative") : undefined;
  return {
    name: rule.text("name"),
    bad: readBad(rule.object("bad")),
    source: rule.choice("source", ["app", "router"] as const),
    ...(absolute === undefined ? {} : { absolute: { p0: absolute.number("p0"), p1: absolute.number("p1") } }),
    ...(relative === undefined
      ? {}
      : {
          relative: {
            tolerated: relative.number("tolerated"),
            ...(relative.has("refused") ? { refused: relative.number("refused") } : {}),
          },
        }),
    ...(rule.has("alphaShare") ? { alphaShare: rule.number("alphaShare") } : {}),
  };
}

function readBad(bad: Reader): Bad {
  const kind = bad.choice("kind", ["errors", "slower", "event", "silence"] as const);
  switch (kind) {
    case "errors":
      return { kind };
    case "slower":
      return { kind, than: bad.number("than") };
    case "event":
      return { kind, name: bad.text("name") };
    case "silence":
      return { kind, settleSeconds: bad.number("settleSeconds") };
  }
}

function readPlan(plan: Reader): Plan {
  return {
    pollSeconds: plan.number("pollSeconds"),
    scrapeSeconds: plan.number("scrapeSeconds"),
    horizonSeconds: plan.number("horizonSeconds"),
    gateSeconds: plan.number("gateSeconds"),
  };
}

function readNames(names: Reader): MetricNames {
  return {
    requests: names.text("requests"),
    statusLabel: names.text("statusLabel"),
    errorStatus: names.text("errorStatus"),
    routeLabel: names.text("routeLabel"),
    durationBucket: names.text("durationBucket"),
  };
}

function readEvent([name, event]: [string, Reader]): [string, EventMatch] {
  return [
    name,
    {
      ...(event.has("status") ? { status: event.text("status") } : {}),
      ...(event.has("route") ? { route: event.text("route") } : {}),
    },
  ];
}

function readPrometheus(prometheus: Reader): PrometheusSource {
  return {
    address: prometheus.text("address"),
    namespaceLabel: prometheus.text("namespaceLabel"),
    hashLabel: prometheus.text("hashLabel"),
    scrapeSeconds: prometheus.number("scrapeSeconds"),
  };
}

/** Reads fields by type and notes each one that is missing or of another type. */
class Reader {
  readonly #value: unknown;
  readonly #path: string;
  readonly #problems: string[];

  constructor(value: unknown, path: string, problems: string[]) {
    this.#value = value;
    this.#path = path;
    this.#problems = problems;
  }

  has(field: string): boolean {
    const value = this.#get(field);
    return value !== undefined && value !== null;
  }

  number(field: string): number {
    const value = this.#get(field);
    if (typeof value === "number" && Number.isFinite(value)) return value;
    return this.#wrong(field, "a number", 0);
  }

  text(field: string): string {
    const value = this.#get(field);
    if (typeof value === "string" && value !== "") return value;
    return this.#wrong(field, "a text", "");
  }

  /** Of a field, or of the value itself. */
  choice<const T extends string>(field: string | undefined, choices: readonly T[]): T {
    const value = field === undefined ? this.#value : this.#get(field);
    const found = choices.find((choice) => choice === value);
    return found ?? this.#wrong(field ?? "", `one of ${choices.join(", ")}`, choices[0]!);
  }

  object(field: string): Reader {
    const value = this.#get(field);
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return new Reader(isObject ? value : this.#wrong(field, "an object", {}), this.#at(field), this.#problems);
  }

  list(field: string): Reader[] {
    const value = this.#get(field);
    const items: unknown[] = Array.isArray(value) ? value : this.#wrong(field, "a list", []);
    return items.map((item, index) => new Reader(item, `${this.#at(field)}[${index}]`, this.#problems));
  }

  entries(): [string, Reader][] {
    return Object.entries(this.#value as Json).map(([name, item]) => [
      name,
      new Reader(item, this.#at(name), this.#problems),
    ]);
  }

  #get(field: string): unknown {
    return (this.#value as Json | null | undefined)?.[field];
  }

  #at(field: string): string {
    return [this.#path, field].filter((part) => part !== "").join(".");
  }

  #wrong<T>(field: string, what: string, instead: T): T {
    const path = this.#at(field);
    // A missing object is one problem, not one for each of its fields.
    const isKnown = this.#problems.some((problem) => path.startsWith(problem.slice(0, problem.indexOf(":")) + "."));
    if (!isKnown) this.#problems.push(`${path}: is not ${what}`);
    return instead;
  }
}
