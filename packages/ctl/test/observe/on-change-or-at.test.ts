import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { onChangeOrAt } from "../../src/observe/on-change-or-at.ts";

/** Changes that come when they are pushed; notes when nobody wants more. */
class Source<T> implements AsyncIterable<T> {
  #waiting: ((result: IteratorResult<T>) => void)[] = [];
  #failed: ((error: Error) => void)[] = [];
  #ready: T[] = [];
  closed = false;

  push(value: T): void {
    const next = this.#waiting.shift();
    this.#failed.shift();
    if (next === undefined) this.#ready.push(value);
    else next({ value, done: false });
  }

  end(): void {
    this.#waiting.shift()?.({ value: undefined, done: true });
  }

  fail(error: Error): void {
    this.#failed.shift()?.(error);
  }

  [Symbol.asyncIterator](): AsyncIterator<T> {
    return {
      next: () => {
        const value = this.#ready.shift();
        if (value !== undefined) return Promise.resolve({ value, done: false });
        return new Promise((resolve, reject) => {
          this.#waiting.push(resolve);
          this.#failed.push(reject);
        });
      },
      return: () => {
        this.closed = true;
        return Promise.resolve({ value: undefined, done: true });
      },
    };
  }
}

beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }));
afterEach(() => void vi.useRealTimers());

const start = 1_000_000;
const far = start + 3_600_000;

describe("what is followed", () => {
  test("comes with each change", async () => {
    const source = new Source<string>();
    const moments = onChangeOrAt(source, far);
    source.push("a");
    source.push("b");
    expect((await moments.next()).value).toMatchObject({ value: "a", now: start });
    expect((await moments.next()).value).toMatchObject({ value: "b" });
  });

  test("comes again at the moment asked for, and only then", async () => {
    const source = new Source<string>();
    const moments = onChangeOrAt(source, far);
    source.push("a");
    const first = await moments.next();
    first.value?.wakeAt(start + 5_000);
    let again: unknown;
    const next = moments.next().then((result) => (again = result.value));
    await vi.advanceTimersByTimeAsync(4_990);
    expect(again).toBeUndefined();
    await vi.advanceTimersByTimeAsync(20);
    await next;
    expect(again).toMatchObject({ value: "a" });
    expect((again as { now: number }).now).toBeGreaterThanOrEqual(start + 5_000);
  });

  test("is woken at the earliest of several moments", async () => {
    const source = new Source<string>();
    const moments = onChangeOrAt(source, far);
    source.push("a");
    const first = await moments.next();
    first.value?.wakeAt(start + 9_000);
    first.value?.wakeAt(start + 2_000);
    first.value?.wakeAt(start + 5_000);
    const next = moments.next();
    await vi.advanceTimersByTimeAsync(2_010);
    expect((await next).value?.now).toBeLessThan(start + 3_000);
  });

  test("is not woken for what a change has made old", async () => {
    const source = new Source<string>();
    const moments = onChangeOrAt(source, far);
    source.push("a");
    (await moments.next()).value?.wakeAt(start + 2_000);
    source.push("b");
    expect((await moments.next()).value?.value).toBe("b");
    let woken = false;
    void moments.next().then(() => (woken = true));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(woken).toBe(false);
  });

  test("ends at the deadline, also when nothing ever came, and lets go of its source", async () => {
    const source = new Source<string>();
    const moments = onChangeOrAt(source, start + 1_000);
    const next = moments.next();
    await vi.advanceTimersByTimeAsync(1_010);
    expect(await next).toMatchObject({ done: true });
    expect(source.closed).toBe(true);
  });

  test("bears a deadline further off than a timer can be", async () => {
    const source = new Source<string>();
    const moments = onChangeOrAt(source, Infinity);
    const next = moments.next();
    await vi.advanceTimersByTimeAsync(60_000);
    source.push("a");
    expect((await next).value?.value).toBe("a");
  });

  test("ends when its source does, and fails with it", async () => {
    const ending = new Source<string>();
    const ended = onChangeOrAt(ending, far).next();
    ending.end();
    expect(await ended).toMatchObject({ done: true });

    const failing = new Source<string>();
    const failed = onChangeOrAt(failing, far).next();
    failing.fail(new Error("watch lost"));
    await expect(failed).rejects.toThrow("watch lost");
  });

  test("lets go of its source when the consumer has seen enough", async () => {
    const source = new Source<string>();
    source.push("a");
    for await (const _moment of onChangeOrAt(source, far)) break;
    expect(source.closed).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });
});
