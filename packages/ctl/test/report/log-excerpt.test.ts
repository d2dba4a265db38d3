import { expect, test } from "vitest";
import { logExcerpt } from "../../src/report/log-excerpt.ts";

const from = { pod: "myapp-1", container: "app" };
const requests = (count: number) =>
  Array.from({ length: count }, (_, index) => `{"level":30,"msg":"request ${index}"}`);

test("of a long log the lines that speak of a fault are left", () => {
  const lines = [...requests(40), '{"level":50,"msg":"no licence file"}', ...requests(20)];
  expect(logExcerpt(lines.join("\n"), from)).toEqual({
    ...from,
    lines: ['{"level":50,"msg":"no licence file"}'],
    matters: [0],
    truncated: true,
  });
});

test("of a long log that speaks of none its end is left, and not much of it", () => {
  const excerpt = logExcerpt(requests(40).join("\n"), from);
  expect(excerpt).toMatchObject({ matters: [], truncated: true });
  expect(excerpt?.lines).toEqual(requests(40).slice(-5));
});

test("a short log is whole, an empty one is none", () => {
  expect(logExcerpt("one\nan error\n", from)).toEqual({ ...from, lines: ["one", "an error"], matters: [1] });
  expect(logExcerpt("\n", from)).toBeUndefined();
});
