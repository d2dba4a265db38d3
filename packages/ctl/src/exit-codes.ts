/** The exit codes of every command; docs/errors.md explains them to people. */
export const ExitCode = {
  /** Done and verified. */
  ok: 0,
  /** Unexpected error: a bug or a broken environment. */
  unexpected: 1,
  /** Wrong usage. */
  usage: 2,
  /** Refused by a guard or by preflight; nothing was changed. */
  refused: 3,
  /** The deadline passed and work is still in progress. */
  deadline: 4,
  /** The release failed and was restored (a first deploy: removed); the restored state is verified. */
  restored: 5,
  /** The release failed and is not restored. */
  notRestored: 6,
  /** Paused: a person must promote or abort. */
  paused: 7,
  /** Not enough evidence; a person must decide. */
  inconclusive: 8,
  /** Interrupted by a signal. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];
