import { setImmediate } from "node:timers/promises";

/** What a person notices as a delay, in milliseconds. */
const longestMs = 100;

/** Runs what takes long to compute step by step, and lets Ctrl-C through while it does. */
export async function runBreathing<T>(work: Iterator<unknown, T>, signal: AbortSignal): Promise<T> {
  let breathed = performance.now();
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
    if (performance.now() - breathed < longestMs) continue;
    await setImmediate();
    signal.throwIfAborted();
    breathed = performance.now();
  }
}
