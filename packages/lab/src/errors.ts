/** Exit codes of the lab's commands; the same numbers as everywhere in the project. */
export const exitCodes = { done: 0, unexpected: 1, usage: 2, refused: 3, deadline: 4, interrupted: 130 } as const;

/**
 * An error whose message is written for the person at the terminal.
 * `hint` is what to do next; `exitCode` is what the command ends with.
 */
export class LabError extends Error {
  readonly hint: string | undefined;
  readonly exitCode: number;

  constructor(message: string, options: { hint?: string; exitCode?: number; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "LabError";
    this.hint = options.hint;
    this.exitCode = options.exitCode ?? exitCodes.unexpected;
  }
}

/** Nothing was changed: the machine, the arguments or another lab stand in the way. */
export function refusal(message: string, hint: string): LabError {
  return new LabError(message, { hint, exitCode: exitCodes.refused });
}
