/** One answer: which version gave it, and whether it was an error. */
export interface Answer {
  version: string;
  /** HTTP status; undefined: no answer came. */
  status: number | undefined;
}

export interface SplitCount {
  version: string;
  answers: number;
  errors: number;
}

export interface SplitJudgement {
  counts: SplitCount[];
  /** Share of the canary's answers in percent; undefined where the canary's version is not known. */
  share: number | undefined;
  /** Whether the share is what the weight makes probable; undefined where it cannot be told. */
  isAsExpected: boolean | undefined;
  why: string;
}

/** Two-sided, 99.9 %: of a thousand right splits one is called wrong. */
const z = 3.29;

/**
 * Counts the answers by version and compares the canary's share with its weight. Pure.
 *
 * A router that draws by chance gives a share that varies as a binomial distribution does; one that goes in turns varies
 * less. So a share outside z standard deviations, and one answer more for the rounding, is wrong for both.
 *
 * @param canary version of the canary; undefined where there is none, or it cannot be told from the stable one.
 * @param weight percent of the requests that it should get.
 */
export function judgeSplit(answers: readonly Answer[], canary: string | undefined, weight: number): SplitJudgement {
  const counts = countByVersion(answers);
  const total = answers.length;
  if (total === 0) return { counts, share: undefined, isAsExpected: undefined, why: "no request was sent" };
  if (canary === undefined)
    return { counts, share: undefined, isAsExpected: undefined, why: "the canary's version cannot be told" };
  const own = answers.filter(({ version }) => version === canary).length;
  const share = (own / total) * 100;
  const p = weight / 100;
  const tolerance = p === 0 || p === 1 ? 0 : z * Math.sqrt(total * p * (1 - p)) + 1;
  const isAsExpected = Math.abs(own - total * p) <= tolerance;
  const range = `${Math.max(0, Math.ceil(total * p - tolerance))} to ${Math.min(total, Math.floor(total * p + tolerance))}`;
  const expected = tolerance === 0 ? `exactly ${total * p}` : range;
  return {
    counts,
    share,
    isAsExpected,
    why: `${own} of ${total} answers are the canary's; weight ${weight} % makes it ${expected}`,
  };
}

export const noVersion = "(no version)";

function countByVersion(answers: readonly Answer[]): SplitCount[] {
  const counts = new Map<string, SplitCount>();
  for (const { version, status } of answers) {
    const count = counts.get(version) ?? { version, answers: 0, errors: 0 };
    const isError = status === undefined || status >= 500;
    counts.set(version, { version, answers: count.answers + 1, errors: count.errors + (isError ? 1 : 0) });
  }
  return [...counts.values()].sort((a, b) => b.answers - a.answers || (a.version < b.version ? -1 : 1));
}
