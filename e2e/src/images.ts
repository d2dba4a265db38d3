import { root, type World } from "./world.ts";
import { must } from "./run.ts";

/** Where the lab's images are. */
export const registry = "registry.local";

/** The tag of the hooks' image that tests, demo and benches share. */
export const ctlTag = "e2e";

/** The same of the verdict service's. */
export const verdictTag = "e2e";

/** Builds and pushes the images that every deploy of the app needs; what has not changed is not built again. */
export async function buildImages(world: World, versions: string[], o: { show?: boolean } = {}): Promise<void> {
  await build("report", "ctl", "app");
  await world.lab(["image", "build", "node"], o);
  await world.lab(["image", "build", "ctl", "--tag", ctlTag], o);
  for (const version of versions) {
    await world.lab(["image", "build", "app", "--tag", version, "--build-arg", `VERSION=${version}`], o);
  }
}

/** The same of the verdict service. */
export async function buildVerdictImage(world: World, o: { show?: boolean } = {}): Promise<void> {
  await build("verdict-service");
  await world.lab(["image", "build", "verdict", "--tag", verdictTag], o);
}

async function build(...packages: string[]): Promise<void> {
  for (const name of packages) await must(process.execPath, ["build.ts"], { cwd: `${root}/packages/${name}` });
}
