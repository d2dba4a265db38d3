import { PassThrough } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { LiveProgress, liveLines } from "../../src/ui/live-progress.ts";
import { podLine, podState } from "../../src/ui/pod-line.ts";
import { PlainProgress, type PodLine } from "../../src/ui/progress.ts";
import { at, containerStatus, pod, running, waiting } from "../fixtures/cluster.ts";

const line = (name: string, o: Partial<PodLine> = {}): PodLine => ({
  name,
  isNew: true,
  state: "Running",
  ready: true,
  restarts: 0,
  ...o,
});
const state = { title: "deploy myapp", waiting: "", elapsedSeconds: 5, leftSeconds: 295, spinner: "*" };

describe("the live view's block", () => {
  test("has a line for each pod and one for what is awaited", () => {
    const pods = [
      line("myapp-2-abc", { ready: false, state: "CrashLoopBackOff", restarts: 2 }),
      line("my", { isNew: false }),
    ];
    expect(liveLines(pods, { ...state, waiting: "1 of 2 new pods ready" })).toEqual([
      "  ○ new  myapp-2-abc  CrashLoopBackOff  2 restarts",
      "  ● old  my           Running",
      "* deploy myapp, 5 s of 300 s: waiting for 1 of 2 new pods ready",
    ]);
    expect(liveLines([], state)).toEqual(["* deploy myapp, 5 s of 300 s: working"]);
  });

  test("shows eight pods and counts the others", () => {
    const lines = liveLines(
      Array.from({ length: 11 }, (_, index) => line(`pod-${index}`)),
      state,
    );
    expect(lines).toHaveLength(10);
    expect(lines[8]).toBe("  … and 3 more");
  });
});

describe("on a terminal", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function terminal(columns: number | undefined) {
    const stream = new PassThrough() as PassThrough & NodeJS.WriteStream;
    Object.assign(stream, { columns, isTTY: true });
    let written = "";
    stream.on("data", (chunk: Buffer) => (written += chunk.toString()));
    return { stream, text: () => written };
  }

  test.each([20, 40, 80, undefined])(
    "of %s columns no line of the block is as wide as it, so none wraps",
    (columns) => {
      const { stream, text } = terminal(columns);
      const live = new LiveProgress({ stream, title: "deploy myapp", deadline: Date.now() + 60_000 });
      live.pods([line("a-name-that-is-longer-than-a-narrow-terminal-has-columns-for-it-and-then-some-more-of-it")]);
      live.waiting("something that is as long as the words of a cluster can be when it has much to say about it");
      vi.advanceTimersByTime(250);
      live.end();
      const lines = stripVTControlCharacters(text()).split("\n");
      expect(lines.length).toBeGreaterThan(3);
      for (const each of lines) expect(each.length).toBeLessThan(columns ?? 80);
      expect(lines.some((each) => each.endsWith("…"))).toBe(true);
    },
  );

  test("each drawing takes the one before away, and the end leaves notes alone on the screen", () => {
    const { stream, text } = terminal(80);
    const live = new LiveProgress({ stream, title: "deploy myapp", deadline: Date.now() + 60_000 });
    live.pods([line("one"), line("two")]);
    vi.advanceTimersByTime(100);
    live.note(1.5, "preflight passed\nwith more");
    vi.advanceTimersByTime(100);
    live.end();
    expect(screen(text()).filter((each) => each !== "")).toEqual(["   1.5 s  preflight passed", "          with more"]);
    expect(text().endsWith("\x1b[?25h")).toBe(true);
    const length = text().length;
    vi.advanceTimersByTime(1_000);
    expect(text().length).toBe(length);
  });
});

/** What a terminal shows after this was written: lines, with "up n and clear below" obeyed. */
function screen(text: string): string[] {
  const lines = [""];
  // oxlint-disable-next-line no-control-regex -- the control sequences are what is obeyed
  for (const token of text.split(/(\x1b\[\d+A\x1b\[J|\n)/)) {
    // oxlint-disable-next-line no-control-regex -- as above
    const up = /^\x1b\[(\d+)A/.exec(token);
    if (up !== null) lines.splice(lines.length - 1 - Number(up[1]), Infinity, "");
    else if (token === "\n") lines.push("");
    else lines[lines.length - 1] += stripVTControlCharacters(token);
  }
  return lines;
}

test("in a log each thing that happens has a line, and each change of what is awaited one", () => {
  let written = "";
  const plain = new PlainProgress((text) => (written += text));
  plain.note(0.1, "helm upgrade");
  plain.waiting("1 of 3 pods");
  plain.waiting("1 of 3 pods");
  plain.waiting("2 of 3 pods");
  plain.end();
  expect(written.split("\n").filter(Boolean)).toEqual([
    "   0.1 s  helm upgrade",
    expect.stringMatching(/ s {2}waiting for 1 of 3 pods$/),
    expect.stringMatching(/ s {2}waiting for 2 of 3 pods$/),
  ]);
});

describe("a pod in one line", () => {
  test.each([
    ["Running", pod({ statuses: [running(1)] })],
    ["Terminating", pod({ statuses: [running(1)], deletedAt: at(9) })],
    ["ImagePullBackOff", pod({ statuses: [waiting("ImagePullBackOff")] })],
    [
      "OOMKilled",
      pod({ statuses: [containerStatus({ state: { terminated: { exitCode: 137, reason: "OOMKilled" } } })] }),
    ],
    [
      "Running",
      pod({
        init: [containerStatus({ name: "wait", state: { terminated: { exitCode: 0, reason: "Completed" } } })],
        statuses: [running(1)],
      }),
    ],
    ["Pending", pod({ statuses: [] })],
  ])("%s", (words, one) => {
    expect(podState(one)).toBe(words);
  });

  test("counts the restarts of all its containers", () => {
    const one = pod({
      ready: true,
      statuses: [running(1, { restartCount: 1 }), running(1, { name: "b", restartCount: 2 })],
    });
    expect(podLine({ pod: one, isNew: false })).toMatchObject({ restarts: 3, ready: true, isNew: false });
  });
});
