import type { Result, Verdict } from "@safe-deploy/verdict";

/** One look, as a page draws it. Evidence and boundaries are in nats. */
export interface PathPoint {
  /** Milliseconds since the epoch. */
  at: number;
  /** Percent of the requests. */
  weight: number;
  verdict: Verdict;
  n: number;
  k: number;
  /** Bad requests beyond what stable would have had. */
  spent: number;
  rules: RulePoint[];
}

export interface RulePoint {
  rule: string;
  /** Against p0, and against stable: from the start and lately; null where a test has ended or there is none. */
  absolute: [number | null, number | null];
  relative: [number | null, number | null];
  boundaries: [number, number];
  /** Since the last change of weight: passes at or below its boundary. */
  gate: [score: number, boundary: number];
}

/** The most points that a path keeps: of a long attempt every second, fourth, eighth ... look. */
const mostPoints = 120;

/** The looks of an attempt, thinned as they grow in number. Plain data. */
export interface Path {
  /** Every so many looks one is kept. */
  stride: number;
  looks: number;
  points: PathPoint[];
}

export const newPath = (): Path => ({ stride: 1, looks: 0, points: [] });

/** Adds a look, in place. Changes of weight and failures are kept however long the attempt is. */
export function addPoint(path: Path, at: number, weight: number, result: Result): void {
  const last = path.points.at(-1);
  const isTurn = last === undefined || last.weight !== weight || (result.verdict === "fail" && last.verdict !== "fail");
  const isDue = path.looks % path.stride === 0;
  path.looks++;
  if (!isTurn && !isDue) return;
  path.points.push(pointOf(at, weight, result));
  if (path.points.length <= mostPoints) return;
  path.stride *= 2;
  path.points = path.points.filter((point, index, all) => {
    const before = all[index - 1];
    const after = all[index + 1];
    return index % 2 === 0 || after === undefined || before?.weight !== point.weight || point.verdict === "fail";
  });
}

function pointOf(at: number, weight: number, { verdict, n, k, spent, evidence }: Result): PathPoint {
  return {
    at,
    weight,
    verdict,
    n,
    k,
    spent: round(spent.bad),
    rules: evidence.map(({ rule, absolute, relative, boundaries, gate }) => ({
      rule,
      absolute: [roundOrNull(absolute?.fromStart), roundOrNull(absolute?.recent)],
      relative: [roundOrNull(relative?.fromStart), roundOrNull(relative?.recent)],
      boundaries: [round(boundaries.fromStart), round(boundaries.recent)],
      gate: [round(gate.score), round(gate.boundary)],
    })),
  };
}

const round = (value: number) => Math.round(value * 1000) / 1000;
const roundOrNull = (value: number | null | undefined) => (value === null || value === undefined ? null : round(value));
