import { ExitCode } from "./exit-codes.ts";

/**
 * Every error a person can meet, by its stable code: the exit code it ends with and what it means.
 * docs/errors.md lists the same codes; a test keeps the two equal.
 */
export const catalogue = {
  CTL_E_USAGE: { exit: ExitCode.usage, means: "The command line is wrong." },
  CTL_E_CLUSTER: { exit: ExitCode.unexpected, means: "The cluster did not answer, or answered with an error." },
  CTL_E_FORBIDDEN: { exit: ExitCode.refused, means: "The account in use lacks a right that the command needs." },
  CTL_E_NO_RELEASE: { exit: ExitCode.refused, means: "No release of that name exists in the namespace." },
  CTL_E_NO_CHART: { exit: ExitCode.usage, means: "The chart to deploy was not found." },
  CTL_E_HELM_MISSING: { exit: ExitCode.refused, means: "No helm binary was found." },
  CTL_E_HELM_VERSION: { exit: ExitCode.refused, means: "This helm version cannot roll back over kept objects." },
  CTL_E_RENDER: { exit: ExitCode.refused, means: "The chart does not render with these values." },
  CTL_E_PREFLIGHT: { exit: ExitCode.refused, means: "Preflight found something that would make the deploy fail." },
  CTL_E_NO_VERIFY: {
    exit: ExitCode.refused,
    means: "The release has its verification switched off, so nothing could say that it is good.",
  },
  CTL_E_LOCKED: { exit: ExitCode.refused, means: "Another operation on this release is in progress." },
  CTL_E_NO_TARGET: { exit: ExitCode.refused, means: "There is no verified release to go back to." },
  CTL_E_BAD_TARGET: { exit: ExitCode.refused, means: "The release asked for must not be gone back to." },
  CTL_E_TAG_MOVED: {
    exit: ExitCode.refused,
    means: "The image tag of the target names another image now, so going back to it would run different code.",
  },
  CTL_E_FAILED_RESTORED: {
    exit: ExitCode.restored,
    means: "The release failed; the one before it serves again, verified.",
  },
  CTL_E_FAILED_REMOVED: { exit: ExitCode.restored, means: "The first release failed and was removed." },
  CTL_E_FAILED: { exit: ExitCode.notRestored, means: "The release failed and was left as it is." },
  CTL_E_RESTORE_FAILED: { exit: ExitCode.notRestored, means: "The release failed and could not be restored." },
  CTL_E_DEADLINE: { exit: ExitCode.deadline, means: "The deadline passed; the work goes on in the cluster." },
  CTL_E_UNVERIFIED: { exit: ExitCode.inconclusive, means: "The live release has no verdict." },
  CTL_E_PAUSED: { exit: ExitCode.paused, means: "The rollout waits for a person to promote or abort it." },
  CTL_E_INCONCLUSIVE: {
    exit: ExitCode.inconclusive,
    means: "An analysis could not tell whether the release is good, so a person has to decide.",
  },
  CTL_E_NO_ROLLOUT: { exit: ExitCode.refused, means: "The release does not run as a Rollout." },
  CTL_E_NOT_NOW: { exit: ExitCode.refused, means: "The command means nothing in the rollout's present state." },
  CTL_E_SPLIT: {
    exit: ExitCode.notRestored,
    means: "The requests are not split between the versions as the rollout says.",
  },
  CTL_E_NO_SIMULATION: { exit: ExitCode.refused, means: "The rollout that these values describe cannot be simulated." },
  CTL_E_BUDGET: { exit: ExitCode.refused, means: "No settings were found that keep the budget of bad requests." },
  CTL_E_INTERRUPTED: { exit: ExitCode.interrupted, means: "Interrupted from the keyboard or by a signal." },
} as const satisfies Record<string, { exit: ExitCode; means: string }>;

export type ErrorCode = keyof typeof catalogue;

/** An error meant for the person at the terminal: what happened, and the next command. */
export class CtlError extends Error {
  readonly code: ErrorCode;
  /** What to do now: a command where there is one. */
  readonly next: string | undefined;
  /** Facts for `-o json`. */
  readonly details: unknown;

  constructor(
    code: ErrorCode,
    message: string,
    o: { next?: string | undefined; details?: unknown; cause?: unknown } = {},
  ) {
    super(message, { cause: o.cause });
    this.name = "CtlError";
    this.code = code;
    this.next = o.next;
    this.details = o.details;
  }

  get exit(): ExitCode {
    return catalogue[this.code].exit;
  }
}
