/** What a scenario is told through its environment variables. */
export interface Settings {
  /** http or https, without a slash at the end. */
  baseUrl: string;
  /** Requests per second that are begun; the open model keeps to it however slow the answers are. */
  rate: number;
  durationSeconds: number;
  /** Asked one after the other. */
  paths: string[];
  /** Sent with every request; `host` is what a router chooses by. */
  headers: Record<string, string>;
  /** new: a connection per request, spread over the pods as a Service spreads them. reuse: kept connections. */
  connections: "new" | "reuse";
}

/** How the error begins that a run ends with when its target is down. */
export const NOTHING_ANSWERS = "nothing answers at";

export interface Defaults {
  rate: number;
  duration: string;
  paths: string;
}

type Environment = Record<string, string | undefined>;

/**
 * Reads BASE_URL, RATE, DURATION, PATHS, HEADERS (one `name: value` a line) and CONNECTIONS.
 * @throws {Error} that lists everything wrong with them.
 */
export function readSettings(env: Environment, defaults: Defaults): Settings {
  const problems: string[] = [];
  const baseUrl = (env.BASE_URL ?? "").replace(/\/+$/, "");
  if (baseUrl === "")
    problems.push("BASE_URL is missing; set it to where the service answers, such as http://127.0.0.1:8080");
  else if (!/^https?:\/\/[^\s/?#]+(\/[^\s?#]*)?$/.test(baseUrl)) {
    problems.push(
      `BASE_URL is "${baseUrl}"; it must be an http or https address without query, such as http://127.0.0.1:8080`,
    );
  }
  const rate = Number(env.RATE ?? defaults.rate);
  if (!Number.isInteger(rate) || rate < 1 || rate > 10_000) {
    problems.push(`RATE is "${env.RATE}"; it must be a whole number of requests per second from 1 to 10000`);
  }
  const durationSeconds = parseSeconds(env.DURATION ?? defaults.duration);
  if (durationSeconds === undefined) {
    problems.push(`DURATION is "${env.DURATION}"; it must be a time from 1s to 24h, such as 30s, 5m or 1h30m`);
  }
  const paths = (env.PATHS ?? defaults.paths).split(",").map((path) => path.trim());
  for (const path of paths.filter((path) => !/^\/[!-~]*$/.test(path))) {
    problems.push(`PATHS holds "${path}"; each path must begin with "/", with commas between them`);
  }
  const headers: Record<string, string> = {};
  for (const line of (env.HEADERS ?? "").split("\n").filter((line) => line.trim() !== "")) {
    const [, name, value] = /^([!#$%&'*+.^_`|~\w-]+):[ \t]*([^\r]*?)[ \t]*$/.exec(line) ?? [];
    if (name === undefined || value === undefined || value === "") {
      problems.push(`HEADERS holds "${line}"; each line must be a name and a value, such as host: myapp.example.com`);
    } else headers[name.toLowerCase()] = value;
  }
  const connections = env.CONNECTIONS ?? "new";
  if (connections !== "new" && connections !== "reuse") {
    problems.push(`CONNECTIONS is "${connections}"; it must be new or reuse`);
  }
  if (problems.length > 0)
    throw new Error(`The load cannot start:\n${problems.map((problem) => `  ${problem}`).join("\n")}`);
  return {
    baseUrl,
    rate,
    durationSeconds: durationSeconds as number,
    paths,
    headers,
    connections: connections as Settings["connections"],
  };
}

/** Whole seconds from 1 to a day. */
function parseSeconds(text: string): number | undefined {
  const match = /^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/.exec(text);
  if (match === null) return undefined;
  const [hours, minutes, seconds] = match.slice(1).map((part) => Number(part ?? 0));
  const total = hours! * 3600 + minutes! * 60 + seconds!;
  return total >= 1 && total <= 86_400 ? total : undefined;
}
