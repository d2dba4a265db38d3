/** What is true while a rollout runs: traffic, and each version's share of bad requests, by the second. */
export interface Scenario {
  name: string;
  /** Of both versions together, per second, at a second since the rollout began. */
  requestsPerSecond: (second: number) => number;
  /** Shares of bad requests, at a second since the rollout began; negative seconds are the time before. */
  canary: (second: number) => number;
  stable: (second: number) => number;
  /** When Prometheus neither scrapes nor answers, in seconds. */
  gaps: { from: number; to: number }[];
}

const always = (value: number) => () => value;

/** A canary as good as stable. */
export function healthy(requestsPerSecond = 100, stable = 0.001): Scenario {
  return {
    name: "healthy",
    requestsPerSecond: always(requestsPerSecond),
    canary: always(stable),
    stable: always(stable),
    gaps: [],
  };
}

/** A canary that fails a share of its requests from the start. */
export function buggy(errors: number, requestsPerSecond = 100, stable = 0): Scenario {
  return { ...healthy(requestsPerSecond, stable), name: `buggy ${100 * errors} %`, canary: always(errors) };
}

/** A canary that gets worse steadily, from stable's share to `errors` within `seconds`. */
export function degrading(errors: number, seconds: number, requestsPerSecond = 100, stable = 0.001): Scenario {
  return {
    ...healthy(requestsPerSecond, stable),
    name: "degrading",
    canary: (second) => stable + (errors - stable) * Math.min(1, Math.max(0, second / seconds)),
  };
}

/** A canary that is good but for spikes of 10 s, one each minute. */
export function flaky(errors: number, requestsPerSecond = 100, stable = 0.001): Scenario {
  return {
    ...healthy(requestsPerSecond, stable),
    name: "flaky",
    canary: (second) => (second >= 0 && second % 60 >= 50 ? errors : stable),
  };
}

/** A good canary while both versions suffer for a time. */
export function sharedOutage(errors: number, from: number, seconds: number, requestsPerSecond = 100): Scenario {
  const both = (second: number) => (second >= from && second < from + seconds ? errors : 0.001);
  return { ...healthy(requestsPerSecond), name: "shared outage", canary: both, stable: both };
}

/** A good canary that hardly anybody asks. */
export function lowTraffic(requestsPerSecond = 0.5): Scenario {
  return { ...healthy(requestsPerSecond), name: "low traffic" };
}

/** A good canary while Prometheus is away for a time. */
export function prometheusGap(from: number, seconds: number, requestsPerSecond = 100): Scenario {
  return { ...healthy(requestsPerSecond), name: "Prometheus gap", gaps: [{ from, to: from + seconds }] };
}

/** Samples of a recorded service: cumulative counters over the seconds of a recording, in order. */
export interface Recording {
  second: number;
  requests: number;
  bad: number;
}

/**
 * Traffic and stable's share of bad requests as they were recorded, with a canary that is `times` as bad, or worse by
 * `more`. After its end a recording begins again.
 */
export function replay(recording: readonly Recording[], canary: { times?: number; more?: number } = {}): Scenario {
  if (recording.length < 2) throw new RangeError("a recording needs at least two samples to have a rate");
  const first = recording[0]!.second;
  const length = recording.at(-1)!.second - first;
  const between = (second: number) => {
    const place = first + (((second % length) + length) % length);
    const next = recording.findIndex((sample) => sample.second > place);
    const [from, to] = [recording[next - 1]!, recording[next]!];
    const requests = to.requests >= from.requests ? to.requests - from.requests : to.requests;
    const bad = to.bad >= from.bad ? to.bad - from.bad : to.bad;
    return { rate: requests / (to.second - from.second), share: requests > 0 ? Math.min(1, bad / requests) : 0 };
  };
  return {
    name: "recording",
    requestsPerSecond: (second) => between(second).rate,
    stable: (second) => between(second).share,
    canary: (second) => Math.min(1, between(second).share * (canary.times ?? 1) + (canary.more ?? 0)),
    gaps: [],
  };
}
