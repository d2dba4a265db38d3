import path from "node:path";
import { ctlTag, registry } from "./images.ts";
import { chart, root } from "./world.ts";

export const release = "myapp";

/** Values files of every release in the tests: small, quick, without a database. */
export const valuesFiles = [`${chart}/ci/lab-values.yaml`, path.join(root, "e2e/values/app.yaml")];

export function image(version: string): string {
  return `${registry}/myapp:${version}`;
}

/** Arguments of `ctl deploy` for a version of the app. */
export function deployArguments(namespace: string, version: string, more: string[] = []): string[] {
  return [
    ...["deploy", "-n", namespace, "--release", release, "--chart", chart, "--timeout", "120s", "-o", "json"],
    ...valuesFiles.flatMap((file) => ["-f", file]),
    ...["--set", `hooks.image.tag=${ctlTag}`, "--image", image(version)],
    ...more,
  ];
}

/** Arguments of a plain `helm upgrade --install` of the same. */
export function helmArguments(namespace: string, version: string, more: string[] = []): string[] {
  return [
    ...["upgrade", "--install", release, chart, "-n", namespace],
    ...valuesFiles.flatMap((file) => ["-f", file]),
    ...["--set", `hooks.image.tag=${ctlTag}`, "--set", `image.tag=${version}`],
    ...more,
  ];
}

export function faultValues(name: string): string {
  return path.join(root, `e2e/values/faults/${name}.yaml`);
}
