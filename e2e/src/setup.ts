import { buildImages } from "./images.ts";
import { World } from "./world.ts";

/** The cluster and the images, once for all files. The cluster stays, so that the next run is quick. */
export default async function setup(): Promise<void> {
  const world = await World.open({ addons: "all" });
  await buildImages(world, ["v1", "v2", "v3"], { show: true });
}
