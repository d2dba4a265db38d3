/** Whether every matrix and repetition is run, not only each capability once. */
export const isFull = process.env["E2E_FULL"] === "1";

/** Cases of `test.each` for what only the full run shows: none is listed as skipped otherwise. */
export const inFullRun = isFull ? ["once"] : [];
