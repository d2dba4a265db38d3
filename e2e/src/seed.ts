import { createHash } from "node:crypto";

/** Printed by every run, and set by SEED to repeat one. In the environment, so that all processes of a run share it. */
export const seed = (process.env["SEED"] ??= String(Date.now() % 1_000_000));
process.stderr.write(`SEED=${seed}\n`);

/** `count` numbers in [0, 1) that depend on the seed and the name alone. */
export function seededNumbers(name: string, count: number): number[] {
  return Array.from({ length: count }, (_, index) => {
    const digest = createHash("sha256").update(`${seed}/${name}/${index}`).digest();
    return Math.round((digest.readUInt32BE(0) / 2 ** 32) * 1000) / 1000;
  });
}
