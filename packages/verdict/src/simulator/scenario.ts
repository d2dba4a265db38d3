/** What is true while a rollout runs: traffic, and each version's share of bad requests, by the second. */
export interface Scenario {
  name: string;
  /** Whether the new version is as good as stable, so that an abort is a false one. */
  good: boolean;
  /** Of both versions together, per second, at a second since the rollout began. */
  requestsPerSecond: (second: number) => number;
  /** Shares of bad requests, at a second since the rollout began; negative seconds are the time before. */
  canary: (second: number) => number;
  stable: (second: number) => number;
  /** When Prometheus neither scrapes nor answers, in seconds. */
  gaps: { from: number; to: number }[];
}

const always = (value: number) => () => value;
const percent = (share: number) => `${Number((100 * share).toPrecision(3))} %`;

/** A canary as good as stable. */
export function healthy(requestsPerSecond = 100, stable = 0.001): Scenario {
  return {
    name: "healthy",
    good: true,
    requestsPerSecond: always(requestsPerSecond),
    canary: always(stable),
    stable: always(stable),
    gaps: [],
  };
}

/** A canary that fails a share of its requests from the start. */
export function buggy(errors: number, requestsPerSecond = 100, stable = 0): Scenario {
  return {
    ...healthy(requestsPerSecond, stable),
    name: `buggy ${percent(errors)}`,
    good: false,
    canary: always(errors),
  };
}

/** A canary that gets worse steadily, from stable's share to `errors` within `seconds`. */
export function degrading(errors: number, seconds: number, requestsPerSecond = 100, stable = 0.001): Scenario {
  return {
    ...healthy(requestsPerSecond, stable),
    name: "degrading",
    good: false,
    canary: (second) => stable + (errors - stable) * Math.min(1, Math.max(0, second / seconds)),
  };
}

/** A canary that is good but for spikes of 10 s, one each minute. */
export function flaky(errors: number, requestsPerSecond = 100, stable = 0.001): Scenario {
  return {
    ...healthy(requestsPerSecond, stable),
    name: "flaky",
    good: false,
    canary: (second) => (second >= 0 && second % 60 >= 50 ? errors : stable),
  };
}

/** A good canary while both versions suffer for a time. */
export function sharedOutage(
  errors: number,
  from: number,
  seconds: number,
  requestsPerSecond = 100,
  stable = 0.001,
): Scenario {
  const both = (second: number) => (second >= from && second < from + seconds ? errors : stable);
  return { ...healthy(requestsPerSecond, stable), name: "shared outage", canary: both, stable: both };
}

/** A good canary that hardly anybody asks. */
export function lowTraffic(requestsPerSecond = 0.5, stable = 0.001): Scenario {
  return { ...healthy(requestsPerSecond, stable), name: "low traffic" };
}

/** A good canary while Prometheus is away for a time. */
export function prometheusGap(from: number, seconds: number, requestsPerSecond = 100, stable = 0.001): Scenario {
  return { ...healthy(requestsPerSecond, stable), name: "Prometheus gap", gaps: [{ from, to: from + seconds }] };
}

/** Samples of a recorded service: cumulative counters over the seconds of a recording, in order. */
export interface Recording {
  second: number;
  requests: number;
  bad: number;
}

/**
 * Traffic and stable's share of bad requests as they were recorded. The canary's is its own where it was recorded as
 * well; else stable's, and worse by `more`. After its end a recording begins again.
 */
export function replay(
  stable: readonly Recording[],
  { canary, more = 0 }: { canary?: readonly Recording[] | undefined; more?: number } = {},
): Scenario {
  const ofStable = courseOf(stable);
  const ofCanary = canary === undefined ? undefined : courseOf(canary);
  return {
    name: more === 0 ? "recording" : `recording + ${percent(more)}`,
    good: canary === undefined && more === 0,
    requestsPerSecond: (second) => ofStable(second).rate + (ofCanary?.(second).rate ?? 0),
    stable: (second) => ofStable(second).share,
    canary: (second) => Math.min(1, (ofCanary ?? ofStable)(second).share + more),
    gaps: [],
  };
}

/** Requests per second and the share of bad ones between two samples. A time without requests has the share before it. */
function courseOf(recording: readonly Recording[]): (second: number) => { rate: number; share: number } {
  if (recording.length < 2) throw new RangeError("a recording needs at least two samples to have a rate");
  const first = recording[0]!.second;
  const length = recording.at(-1)!.second - first;
  let share = 0;
  const parts = recording.slice(1).map((to, index) => {
    const from = recording[index]!;
    const requests = to.requests >= from.requests ? to.requests - from.requests : to.requests;
    const bad = to.bad >= from.bad ? to.bad - from.bad : to.bad;
    if (requests > 0) share = Math.min(1, bad / requests);
    return { until: to.second, rate: requests / (to.second - from.second), share };
  });
  return (second) => {
    const place = first + ((((second - first) % length) + length) % length);
    let low = 0;
    let high = parts.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (parts[middle]!.until > place) high = middle;
      else low = middle + 1;
    }
    return parts[low]!;
  };
}
