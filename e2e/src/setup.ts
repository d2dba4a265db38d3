import { isFull } from "./full-run.ts";
import { buildImages, buildVerdictImage } from "./images.ts";
import { must } from "./run.ts";
import { results } from "./results.ts";
import { seed } from "./seed.ts";
import { root, World } from "./world.ts";

/** The cluster and the images, once for all files. The cluster stays, so that the next run is quick. */
export default async function setup(): Promise<() => Promise<void>> {
  results.begin();
  const world = await World.open({ addons: "all", helm3: true });
  await buildImages(world, ["v1", "v2", "v3"], { show: true });
  await buildVerdictImage(world, { show: true });
  return async () => {
    if (!isFull) return;
    const commit = (await must("git", ["rev-parse", "--short", "HEAD"], { cwd: root })).stdout.trim();
    results.finish(`${new Date().toISOString().slice(0, 10)}, commit ${commit}, SEED=${seed}`);
  };
}
