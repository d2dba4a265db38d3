/**
 * What the published model of github.com/thuanthentran/MajorityProject (head 80df30d) did in its own environment, and its
 * own rules beside it: measured there, 1,000 episodes of each scenario. Bad requests are traffic x share of errors x
 * 1,000 for each step until an episode's end: it ends at 100 %, above 4 % errors, or after 100 steps.
 */
export const publishedFigures = [
  {
    policy: "its published model",
    healthyPromoted: 0.366,
    healthySteps: 100,
    bad: { buggy: 164.5, degrading: 1791.6, flaky: 247.3 },
  },
  {
    policy: "its own rules",
    healthyPromoted: 1,
    healthySteps: 11,
    bad: { buggy: 2.8, degrading: 648.2, flaky: 213.8 },
  },
  {
    policy: "always UP, with its stop at 4 %",
    healthyPromoted: 1,
    healthySteps: 11,
    bad: { buggy: 82.6, degrading: 647, flaky: 160.4 },
  },
] as const;
