import { expect, test } from "vitest";
import { readRecording, RecordingError } from "../src/simulator/prometheus-recording.ts";
import { replay } from "../src/simulator/scenario.ts";

const labels = { status: "status", errorStatus: "5.." };
const series = (metric: Record<string, string>, values: [number, string][]) => ({ metric, values });
const dump = (...result: ReturnType<typeof series>[]) => ({
  status: "success",
  data: { resultType: "matrix", result },
});

test("series of a version are added up, with what a reset lost not counted twice", () => {
  const { stable, canary } = readRecording(
    dump(
      series({ status: "200", pod: "a" }, [
        [1000, "500"],
        [1010, "600"],
        [1020, "30"],
      ]),
      series({ status: "503", pod: "a" }, [
        [1010, "4"],
        [1020, "10"],
      ]),
      series({ status: "200", pod: "b" }, [
        [1000, "0"],
        [1010, "100"],
        [1020, "200"],
      ]),
    ),
    labels,
  );
  expect(canary).toBeUndefined();
  expect(stable).toEqual([
    { second: 0, requests: 0, bad: 0 },
    { second: 10, requests: 204, bad: 4 },
    { second: 20, requests: 340, bad: 10 },
  ]);
});

test("a canary that was recorded is replayed as it was, from its first request on", () => {
  const recorded = readRecording(
    dump(
      series({ status: "200", role: "stable" }, [
        [1000, "0"],
        [1010, "1000"],
        [1020, "1900"],
        [1030, "2800"],
      ]),
      series({ status: "200", role: "canary" }, [
        [1020, "80"],
        [1030, "140"],
      ]),
      series({ status: "500", role: "canary" }, [
        [1020, "20"],
        [1030, "60"],
      ]),
    ),
    labels,
  );
  expect(recorded.stable[0]!.second).toBe(-10);
  const scenario = replay(recorded.stable, { canary: recorded.canary });
  expect([scenario.requestsPerSecond(5), scenario.canary(5), scenario.canary(15), scenario.stable(5)]).toEqual([
    100, 0.2, 0.4, 0,
  ]);
  expect(scenario.good).toBe(false);
});

test.each<[string, unknown, string]>([
  ["no JSON of Prometheus", [], "no answer of /api/v1/query_range"],
  ["an instant query", { status: "success", data: { resultType: "vector", result: [] } }, "resultType: matrix"],
  ["an error", { status: "error", error: "parse error" }, "parse error"],
  ["nothing", dump(), "no series"],
  ["no status", dump(series({ pod: "a" }, [[0, "1"]])), "no series has the label status"],
  ["one moment", dump(series({ status: "200" }, [[0, "1"]])), "fewer than two moments"],
  [
    "no requests",
    dump(
      series({ status: "200" }, [
        [0, "1"],
        [5, "1"],
      ]),
    ),
    "no request of a stable version",
  ],
  [
    "not a number",
    dump(
      series({ status: "200" }, [
        [0, "1"],
        [5, "NaN"],
      ]),
    ),
    "has the value NaN: it is no counter",
  ],
  [
    "a rate",
    dump(
      series(
        { status: "200" },
        ["3", "2", "4", "1", "3", "2", "5", "1"].map((value, index) => [index, value]),
      ),
    ),
    "falls 4 times in 8 samples: it is no counter",
  ],
])("a dump of %s is refused with what to do", (_, document, words) => {
  const read = () => readRecording(document, labels);
  expect(read).toThrow(RecordingError);
  expect(read).toThrow(words);
  try {
    read();
  } catch (error) {
    expect((error as RecordingError).next).not.toBe("");
  }
});
