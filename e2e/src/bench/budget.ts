/** With 99 % at most so many bad requests while the weight is 10: what the figures about the sequential engine state. */
export const budget = 60;

/** Flags of Helm. With the default two seconds between two questions `ctl preflight` answers that this takes more. */
export const keepsBudget = [
  ...["--set", `analysis.sequential.policy.budget=${budget}`],
  ...["--set", "analysis.sequential.intervalSeconds=1"],
];
