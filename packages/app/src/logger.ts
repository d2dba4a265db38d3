import pino, { type Logger } from "pino";
import { requestLine, type AnsweredRequest } from "./request-line.ts";

const FLUSH_INTERVAL_MS = 200;
/** Characters. */
const BLOCK_LENGTH = 32 * 1024;

export type Logging = {
  log: Logger;
  /** Logs one line of an answered request: at level info, at warn where its status is 5xx. */
  logRequest: (request: AnsweredRequest) => void;
  /** Writes what is still held back. */
  flush: () => void;
  /** Lines logged since the start, by level; those that `level` hides are not logged. */
  linesByLevel: Readonly<Record<string, number>>;
};

/**
 * JSON lines on stdout, in the order in which they were logged. The lines of requests are held back and written in
 * blocks, within 200 ms, because a system call for each costs more than the rest of its log; every other line is
 * written at once, and `flush` writes what is held before the process ends.
 */
export function createLogger(level: string, base: Record<string, string>): Logging {
  const destination = pino.destination({ dest: 1, sync: true });
  let held = "";
  const flush = () => {
    if (held !== "") destination.write(held);
    held = "";
  };
  setInterval(flush, FLUSH_INTERVAL_MS).unref();

  const timestamp = isoTimestamp();
  const { labels } = pino.levels;
  const linesByLevel = Object.fromEntries(Object.values(labels).map((label) => [label, 0]));
  const count = (level: number) => (linesByLevel[labels[level]!]! += 1);
  const log = pino(
    {
      level,
      base,
      timestamp,
      hooks: {
        logMethod(args, method, level) {
          flush();
          count(level);
          method.apply(this, args);
        },
      },
    },
    destination,
  );
  const { info, warn } = log.levels.values;
  const line = requestLine(base);
  const logRequest = (request: AnsweredRequest) => {
    const level = request.status >= 500 ? warn! : info!;
    if (level < log.levelVal) return;
    count(level);
    held += line(level, timestamp(), request);
    if (held.length >= BLOCK_LENGTH) flush();
  };
  return { log, logRequest, flush, linesByLevel };
}

// Formatted once for all lines of the same millisecond.
function isoTimestamp(): () => string {
  let at = 0;
  let text = "";
  return () => {
    const now = Date.now();
    if (now !== at) [at, text] = [now, `,"time":"${new Date(now).toISOString()}"`];
    return text;
  };
}
