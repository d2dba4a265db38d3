/** Lets a consumer of changes also be woken at a moment that it names itself. */
export interface Moment<T> {
  value: T;
  /** Milliseconds since the epoch. */
  now: number;
  /** Asks for another look at the same value at that moment, should nothing change before. */
  wakeAt: (moment: number) => void;
}

/**
 * Yields each change, and the last value again at every moment asked for with `wakeAt`. Ends when the changes end, or
 * when the deadline passes.
 *
 * @param deadline milliseconds since the epoch.
 */
export async function* onChangeOrAt<T>(changes: AsyncIterable<T>, deadline: number): AsyncGenerator<Moment<T>> {
  const iterator = changes[Symbol.asyncIterator]();
  let next = iterator.next();
  let last: { value: T } | undefined;
  let wake = Infinity;
  const wakeAt = (moment: number) => (wake = Math.min(wake, moment));
  try {
    for (;;) {
      const until = Math.min(deadline, wake);
      const result = await raceTimer(next, until);
      if (result === "timeout") {
        if (Date.now() >= deadline) return;
        wake = Infinity;
        if (last !== undefined) yield { ...last, now: Date.now(), wakeAt };
        continue;
      }
      if (result.done === true) return;
      next = iterator.next();
      last = { value: result.value };
      wake = Infinity;
      yield { ...last, now: Date.now(), wakeAt };
    }
  } finally {
    next.catch(() => undefined);
    // Not awaited: an iterator that waits for a change ends only when its source does.
    void iterator.return?.();
  }
}

/** Timers fire up to a millisecond early, and none can wait longer than 2^31 ms. */
const longestTimerMs = 2 ** 31 - 1;

async function raceTimer<T>(promise: Promise<T>, until: number): Promise<T | "timeout"> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<"timeout">((resolve) => {
    timer = setTimeout(() => resolve("timeout"), Math.min(Math.max(until - Date.now() + 1, 0), longestTimerMs));
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
