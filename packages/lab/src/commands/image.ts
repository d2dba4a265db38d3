import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { chooseBackend } from "../backend.ts";
import { LabError, exitCodes, refusal } from "../errors.ts";
import { resolveLab } from "../identity.ts";
import { buildImage, buildOther, imageNames, isImageName, listImages, pushImage } from "../images/images.ts";
import { Registry } from "../images/registry.ts";
import { registryPort } from "../node/config-files.ts";
import { readSubnet } from "../node/network.ts";
import { commandProgress } from "./progress.ts";

export type BuildArguments = { repository?: string; tag?: string; file?: string; tagFile?: string; buildArg: string[] };

/** Builds one of the project's images by name, or the Dockerfile of a directory; prints the image's full name. */
export async function build(what: string, o: BuildArguments): Promise<void> {
  const registry = openRegistry();
  const buildArgs = Object.fromEntries(o.buildArg.map(parseBuildArgument));
  const reference = await (isImageName(what) ? buildNamed(what) : buildDirectory());
  if (o.tagFile !== undefined) {
    mkdirSync(path.dirname(o.tagFile), { recursive: true });
    writeFileSync(o.tagFile, `${reference.slice(reference.lastIndexOf(":") + 1)}\n`);
  }
  process.stdout.write(`${reference}\n`);

  async function buildNamed(name: (typeof imageNames)[number]): Promise<string> {
    if (o.file !== undefined) throw usage(`--file does not go with ${name}, whose Dockerfile is known`);
    const progress = commandProgress("image", {});
    return await buildImage(registry, name, {
      ...(o.repository === undefined ? {} : { repository: o.repository }),
      ...(o.tag === undefined ? {} : { tag: o.tag }),
      buildArgs,
      onProgress: (line) => progress.note(line),
    });
  }

  async function buildDirectory(): Promise<string> {
    if (o.tag === undefined) {
      throw usage(`${JSON.stringify(what)} is none of ${imageNames.join(", ")}, and a directory needs --tag REFERENCE`);
    }
    if (o.repository !== undefined) throw usage("--repository does not go with a directory: --tag has the whole name");
    return await buildOther(registry, {
      directory: what,
      file: o.file ?? `${what}/Dockerfile`,
      reference: o.tag,
      buildArgs,
    });
  }
}

export async function push(reference: string): Promise<void> {
  await pushImage(openRegistry(), reference);
  process.stdout.write(`${reference}\n`);
}

export async function list(o: { output: "text" | "json" }): Promise<void> {
  const images = await listImages(openRegistry());
  if (o.output === "json") {
    process.stdout.write(`${JSON.stringify({ schemaVersion: 1, images }, undefined, 2)}\n`);
    return;
  }
  const width = Math.max(0, ...images.map(({ reference }) => reference.length));
  for (const { reference, sizeBytes, digest } of images) {
    const megabytes = `${(sizeBytes / 1e6).toFixed(1)} MB`;
    process.stdout.write(`${reference.padEnd(width)}  ${megabytes.padStart(9)}  ${digest}\n`);
  }
}

function openRegistry(): Registry {
  const lab = resolveLab();
  if (chooseBackend(process.env, lab).kind === "external") {
    throw refusal(
      "a cluster that the lab did not make has no registry of the lab",
      "Build with docker and load the image with the cluster's own tools; docs/lab.md shows it for kind and k3d.",
    );
  }
  const subnet = readSubnet(lab);
  if (!subnet) throw new LabError(`the lab ${lab.name} is not up`, { hint: "`lab up` starts it and its registry." });
  return new Registry(`${subnet.nodeIp}:${registryPort}`);
}

function parseBuildArgument(text: string): [string, string] {
  const at = text.indexOf("=");
  if (at < 1) throw usage(`--build-arg ${JSON.stringify(text)} is not NAME=VALUE`);
  return [text.slice(0, at), text.slice(at + 1)];
}

function usage(message: string): LabError {
  return new LabError(message, { hint: "See `lab image build --help`.", exitCode: exitCodes.usage });
}
