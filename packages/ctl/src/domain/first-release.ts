import type { HelmRelease } from "./helm-release.ts";
import { valueOf } from "./helm-values.ts";
import type { Operation } from "./operation.ts";

/** The value with which a release is installed without its routes. */
export const holdRoute = "ingress.held=true";
export const releaseRoute = "ingress.held=false";

/** Whether a revision was rendered without the routes that it is to have. */
export function isRouteHeld(release: HelmRelease): boolean {
  return valueOf(release, "ingress", "held") === true;
}

/**
 * Whether a first release waits without its routes for a person, or a command on such a release was interrupted. Pure.
 *
 * @param state.helm newest first. A revision that Helm failed at decides nothing: the one before is still there.
 */
export function waitsForRoute(state: { helm: readonly HelmRelease[]; operation: Operation | undefined }): boolean {
  const { operation } = state;
  if (operation !== undefined && isAboutFirst(operation)) return true;
  const deployed = state.helm.find(({ info }) => info.status === "deployed");
  return deployed !== undefined && isRouteHeld(deployed);
}

/** Only what is done to a first release goes back to nothing; a deploy of one begins it. */
function isAboutFirst({ kind, backTo }: Operation): boolean {
  return backTo === 0 && kind !== "deploy";
}
