import pino, { type Logger } from "pino";

const FLUSH_INTERVAL_MS = 200;
const BUFFER_BYTES = 8192;
const ERROR_LEVEL = 50;

/**
 * JSON lines on stdout. Written in blocks, because a system call for each request costs more than the request;
 * errors are written at once, everything else within 200 ms, and `flush` writes what is left before the process ends.
 */
export function createLogger(level: string, base: Record<string, string>): { log: Logger; flush: () => void } {
  const destination = pino.destination({ dest: 1, sync: false, minLength: BUFFER_BYTES });
  let opened = false;
  destination.once("ready", () => (opened = true));
  const flush = () => {
    if (opened) destination.flushSync();
  };
  const log = pino(
    {
      level,
      base,
      timestamp: isoTimestamp(),
      hooks: {
        logMethod(args, method, level) {
          method.apply(this, args);
          if (level >= ERROR_LEVEL) flush();
        },
      },
    },
    destination,
  );
  setInterval(() => destination.flush(), FLUSH_INTERVAL_MS).unref();
  return { log, flush };
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
