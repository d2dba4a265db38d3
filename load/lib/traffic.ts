import { scenario } from "k6/execution";
import http from "k6/http";
import { Counter, Rate, Trend } from "k6/metrics";
import { REQUEST_TIMEOUT_SECONDS } from "./scenarios.ts";
import { NOTHING_ANSWERS, type Settings } from "./settings.ts";

/** Milliseconds until the whole answer was there, tagged with its version and status. */
const answers = new Trend("answers", true);
/** Requests without an answer, tagged with the reason. */
const unanswered = new Counter("unanswered");
/** No answer, or status 400 and above. */
const failedRequests = new Rate("failed_requests");

/** Fails the run before any load when nothing answers at the target. */
export function requireTarget({ baseUrl, paths, headers }: Settings): void {
  const url = baseUrl + paths[0];
  const { status, error } = http.get(url, {
    timeout: "5s",
    headers: { ...headers, "user-agent": "safe-deploy-load/setup" },
  });
  if (status === 0) throw new Error(`${NOTHING_ANSWERS} ${url}: ${error}; start the service or correct BASE_URL`);
}

/** Sends one request and records what came back. */
export function sendRequest({ baseUrl, paths, headers: sent }: Settings): void {
  const path = paths[scenario.iterationInTest % paths.length];
  const response = http.get(baseUrl + path, {
    timeout: `${REQUEST_TIMEOUT_SECONDS}s`,
    headers: { "user-agent": "safe-deploy-load", ...sent },
    tags: { name: path! },
  });
  const { status, error, headers, timings } = response;
  failedRequests.add(status === 0 || status >= 400);
  if (status === 0) {
    unanswered.add(1, { error: error === "" ? "unknown" : error });
    return;
  }
  // k6 writes header names with capitals, whatever the server sent.
  const version = headers["X-App-Version"] || "unknown";
  answers.add(timings.duration + timings.blocked, { version, status: String(status) });
}
