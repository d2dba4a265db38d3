/** An error meant for the person at the terminal: what happened, what to do, and the exit code. */
export class AgentError extends Error {
  readonly exit: number;
  readonly next: string | undefined;

  constructor(message: string, o: { exit: number; next?: string; cause?: unknown }) {
    super(message, { cause: o.cause });
    this.name = "AgentError";
    this.exit = o.exit;
    this.next = o.next;
  }
}

/** As ctl has them. */
export const ExitCode = { ok: 0, unexpected: 1, usage: 2, refused: 3, interrupted: 130 } as const;

export const usage = (message: string, next?: string): AgentError =>
  new AgentError(message, { exit: ExitCode.usage, ...(next === undefined ? {} : { next }) });
