/** One answered request. `milliseconds` is the time from its arrival to the end of its response. */
export type AnsweredRequest = { id: string; method: string; url: string; status: number; milliseconds: number };

/**
 * Makes the log lines of requests, as pino would. They are put together by hand because pino's way, which can log
 * anything, costs more than all the rest of what this service adds to a request.
 * @param base fields of every line
 * @returns a function of pino's level number, the time field with the comma before it, and the request
 */
export function requestLine(
  base: Record<string, string>,
): (level: number, time: string, request: AnsweredRequest) => string {
  const fields = Object.entries(base)
    .map(([key, value]) => `,${JSON.stringify(key)}:${JSON.stringify(value)}`)
    .join("");
  return (level, time, { id, method, url, status, milliseconds }) =>
    `{"level":${level}${time}${fields},"reqId":${JSON.stringify(id)},"method":"${method}","url":${JSON.stringify(url)},"status":${status},"ms":${toMicroseconds(milliseconds)},"msg":"request"}\n`;
}

function toMicroseconds(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000;
}
