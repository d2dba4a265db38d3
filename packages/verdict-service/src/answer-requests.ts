import http from "node:http";
import https from "node:https";
import type { OwnMetrics } from "./own-metrics.ts";
import type { Answer, AttemptRecord } from "./record.ts";
import type { RolloutJudge, Standing } from "./judge-rollouts.ts";

/** How long a question about a version that was not seen yet waits for it, in milliseconds. */
const patienceMs = 3_000;
/** An answer that is older than this many looks, and than these seconds, says nothing about now. */
const oldestLooks = 4;
const oldestSeconds = 10;

/** What a gate is told: JSON for Argo Rollouts' web metric, whose conditions look at `verdict`. */
export type Told = Omit<Answer, "attempt"> & { attempt: string | null };

export interface ServerOptions {
  judge: Pick<RolloutJudge, "standing" | "lastRecord" | "nextAnswer">;
  metrics: OwnMetrics;
  /** Whether everything has been listed once. */
  isReady: () => boolean;
  tls?: { cert: Buffer; key: Buffer };
}

/** A question that cannot be answered: its status and what to do about it. */
class Refusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/**
 * An HTTP server that never answers 200 with anything but a whole answer: Argo Rollouts takes a body that is no JSON,
 * also an empty one, for a success.
 */
export function answerRequests(o: ServerOptions): http.Server | https.Server {
  const listener: http.RequestListener = (request, response) => {
    void answer(request, o)
      .catch((error: unknown): Body => {
        if (error instanceof Refusal) return json(error.status, { error: error.message });
        return json(500, { error: `unexpected: ${(error as Error).message}` });
      })
      .then(({ status, type, text }) => {
        response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(text) });
        response.end(request.method === "HEAD" ? undefined : text);
      });
  };
  return o.tls === undefined ? http.createServer(listener) : https.createServer(o.tls, listener);
}

interface Body {
  status: number;
  type: string;
  text: string;
}

function json(status: number, value: unknown): Body {
  return { status, type: "application/json", text: `${JSON.stringify(value)}\n` };
}

async function answer(request: http.IncomingMessage, o: ServerOptions): Promise<Body> {
  const url = new URL(request.url ?? "/", "http://verdict");
  if (request.method !== "GET" && request.method !== "HEAD")
    throw new Refusal(405, `${request.method} is not possible`);
  switch (url.pathname) {
    case "/live":
      return json(200, { status: "live" });
    case "/ready":
      if (!o.isReady()) throw new Refusal(503, "Rollouts and pods have not been listed yet");
      return json(200, { status: "ready" });
    case "/metrics":
      return { status: 200, type: o.metrics.registry.contentType, text: await o.metrics.registry.metrics() };
    case "/v1/verdict":
      return json(200, await verdict(url.searchParams, o));
  }
  const attempt = /^\/v1\/attempts\/([^/]+)\/([^/]+)$/.exec(url.pathname);
  if (attempt === null) throw new Refusal(404, `there is no ${url.pathname}`);
  return json(200, await attemptOf(decodeURIComponent(attempt[1]!), decodeURIComponent(attempt[2]!), o));
}

async function verdict(parameters: URLSearchParams, o: ServerOptions): Promise<Told> {
  const [namespace, rollout, hash] = ["namespace", "rollout", "hash"].map((name) => {
    const value = parameters.get(name);
    if (value === null || value === "") throw new Refusal(400, `the parameter ${name} is missing`);
    return value;
  }) as [string, string, string];
  const weight = wantedWeight(parameters);
  if (!o.isReady()) throw new Refusal(503, "Rollouts and pods have not been listed yet");

  // The controller may be quicker than the watch and the first look.
  const until = performance.now() + patienceMs;
  for (;;) {
    const standing = o.judge.standing(namespace, rollout);
    const told = tell(standing, hash, weight);
    if (told !== undefined) return told;
    const left = until - performance.now();
    if (left <= 0) throw refusalOf(standing, namespace, rollout, hash);
    await o.judge.nextAnswer(Math.min(left, 200));
  }
}

function wantedWeight(parameters: URLSearchParams): number | undefined {
  const text = parameters.get("weight");
  if (text === null) return undefined;
  const weight = Number(text);
  if (text === "" || !Number.isFinite(weight)) throw new Refusal(400, `the parameter weight is no number: ${text}`);
  return weight;
}

/** Undefined when there is no answer about this version. */
function tell(standing: Standing, hash: string, weight: number | undefined): Told | undefined {
  if (standing.kind === "refused") {
    const { canary, problem } = standing;
    return canary === hash ? { ...nothing(weight), verdict: "blind", rule: "policy", reason: problem } : undefined;
  }
  if (standing.kind === "judged") return about(standing.record, hash, weight, standing.everySeconds);
  return standing.kind === "idle" && standing.last !== undefined
    ? about(standing.last, hash, weight, undefined)
    : undefined;
}

/** @param everySeconds from look to look; undefined when the attempt is over. */
function about(
  { canary, answer, ended }: AttemptRecord,
  hash: string,
  weight: number | undefined,
  everySeconds: number | undefined,
): Told | undefined {
  // A version that another one replaced is judged no more.
  if (canary !== hash || answer === null || ended?.how === "superseded") return undefined;
  if (answer.verdict === "fail") return answer;
  const age = (Date.now() - answer.at) / 1000;
  if (everySeconds !== undefined && age > Math.max(oldestSeconds, oldestLooks * everySeconds)) {
    const reason = `cannot see: the last look was ${Math.round(age)} s ago`;
    return { ...answer, verdict: "blind", rule: "blind", reason };
  }
  if (weight !== undefined && answer.verdict === "pass" && answer.weight !== weight) {
    const reason = `not decided yet: the gate is about weight ${weight}, and at the last look the new version had ${answer.weight}`;
    return { ...answer, verdict: "continue", reason };
  }
  return answer;
}

function nothing(weight: number | undefined): Omit<Told, "verdict" | "rule" | "reason"> {
  return {
    ...{ statistic: 0, boundary: 0, n: 0, k: 0, missing: 0, spent: { bad: 0 } },
    ...{ attempt: null, at: Date.now(), weight: weight ?? 0, source: "pods" },
  };
}

function refusalOf(standing: Standing, namespace: string, rollout: string, hash: string): Refusal {
  const name = `Rollout ${namespace}/${rollout}`;
  switch (standing.kind) {
    case "unknown":
      return new Refusal(404, `there is no ${name} that this service may see`);
    case "notAsking":
      return new Refusal(404, `${name} asks for no verdict: set analysis.engine in the release's values`);
    case "refused":
    case "idle":
    case "judged":
      return new Refusal(404, `${name} is not in an update to the template ${hash}, or has not been looked at yet`);
  }
}

/** What a page draws of an attempt. */
async function attemptOf(namespace: string, rollout: string, { judge }: ServerOptions): Promise<unknown> {
  const standing = judge.standing(namespace, rollout);
  if (standing.kind === "unknown" || standing.kind === "notAsking") throw refusalOf(standing, namespace, rollout, "");
  const record = await judge.lastRecord(namespace, rollout);
  if (record === undefined) throw new Refusal(404, `Rollout ${namespace}/${rollout} has had no attempt yet`);
  const { state, answer, path, canary, stable, number, startedAt, ended } = record;
  const { policy, plan, attempt, totals } = state;
  return {
    schemaVersion: 1,
    ...{ namespace, rollout, attempt, number, canary, stable, startedAt, ended, policy, plan, totals, answer },
    path: path.points,
  };
}
