/** One thing that preflight looked at. */
export interface Finding {
  /** What was looked at, in a word or two. */
  check: string;
  /** `refused`: the deploy would fail. `unknown`: could not be looked at, which is not a pass. */
  status: "ok" | "refused" | "unknown";
  /** In plain words. */
  what: string;
  /** What to do about it. */
  next?: string;
  /** Whether a person should read it before the deploy begins, although all is well. */
  isTold?: true;
}

export function ok(check: string, what: string): Finding {
  return { check, status: "ok", what };
}

export function refused(check: string, what: string, next: string): Finding {
  return { check, status: "refused", what, next };
}

export function unknown(check: string, what: string, next?: string): Finding {
  return { check, status: "unknown", what, ...(next === undefined ? {} : { next }) };
}
