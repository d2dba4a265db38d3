/** For property tests: SEED repeats a run; fast-check prints the seed of one that fails. */
export const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
