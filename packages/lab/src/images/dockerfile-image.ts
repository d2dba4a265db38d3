import { createHash } from "node:crypto";
import {
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { run } from "../command.ts";
import { refusal } from "../errors.ts";
import { cacheDirectory } from "../identity.ts";
import { parseReference, registryName, type Registry } from "./registry.ts";

export type DockerfileBuild = {
  /** The context; also where the Dockerfile is, unless `file` names another. */
  directory: string;
  file?: string;
  buildArgs?: Record<string, string>;
  /** Default: the newest tag that already holds the same image, else the day's next. */
  tag?: string;
  /** The digest of the image that the Dockerfile builds on: known, a build of the same inputs is not run again. */
  base?: string;
};

/**
 * Builds a Dockerfile, and pushes the image if its repository is in the lab's registry; returns its full name.
 * `FROM registry.local/...` is read from the lab's registry. What has not changed is neither built nor pushed again.
 */
export async function buildDockerfile(registry: Registry, repository: string, o: DockerfileBuild): Promise<string> {
  const file = o.file ?? path.join(o.directory, "Dockerfile");
  if (!existsSync(file)) throw refusal(`there is no ${file}`, "Name the Dockerfile with --file.");
  const inLab = repository.startsWith(`${registryName}/`);
  const pushed = inLab ? await pushedTags(registry, repository.slice(registryName.length + 1)) : [];
  const record = o.base === undefined ? undefined : recordFile(inputsOf(file, o, o.base));
  const built = record !== undefined && existsSync(record) ? readFileSync(record, "utf8") : undefined;
  const known = pushed.filter((it) => it.imageId === built).map((it) => it.tag);
  if (known[0] !== undefined && (o.tag === undefined || known.includes(o.tag)))
    return `${repository}:${o.tag ?? known[0]}`;

  using buildah = prepareBuildah(registry);
  const id = await build(buildah, file, o);
  if (record !== undefined) {
    mkdirSync(path.dirname(record), { recursive: true });
    writeFileSync(record, id);
  }
  const same = pushed.filter((it) => it.imageId === id).map((it) => it.tag);
  const taken = [...pushed.map((it) => it.tag), ...(await builtTags(buildah, repository))];
  const tag = o.tag ?? same[0] ?? nextTag(taken, new Date());
  const reference = `${repository}:${tag}`;
  await buildah.run("tag", id, reference);
  if (inLab && !same.includes(tag)) await push(buildah, registry, reference);
  return reference;
}

async function build(buildah: Buildah, file: string, o: DockerfileBuild): Promise<string> {
  const idFile = path.join(buildah.work, "id");
  await buildah.run(
    "build",
    "--isolation=chroot",
    // buildah's cache of layers takes an ENV or LABEL made from another build argument for the same.
    "--layers=false",
    "--pull-always",
    // The same files give the same image.
    "--timestamp=0",
    "--format=oci",
    ...Object.entries(o.buildArgs ?? {}).map(([name, value]) => `--build-arg=${name}=${value}`),
    `--file=${file}`,
    `--iidfile=${idFile}`,
    o.directory,
  );
  return readFileSync(idFile, "utf8").trim();
}

/** A hash of everything a build reads: the Dockerfile, every file of the context, the arguments and the base image. */
function inputsOf(file: string, o: DockerfileBuild, base: string): string {
  const args = Object.entries(o.buildArgs ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const hash = createHash("sha256").update(JSON.stringify([base, args]));
  hash.update(readFileSync(file));
  const entries = readdirSync(o.directory, { recursive: true, withFileTypes: true });
  const names = entries.map((entry) => path.join(entry.parentPath, entry.name)).toSorted();
  for (const name of names) {
    const { mode } = lstatSync(name);
    hash.update(JSON.stringify([path.relative(o.directory, name), mode]));
    if ((mode & constants.S_IFMT) === constants.S_IFREG) hash.update(readFileSync(name));
    if ((mode & constants.S_IFMT) === constants.S_IFLNK) hash.update(readlinkSync(name));
  }
  return hash.digest("hex");
}

/** Where the id of the image that was built from these inputs is kept. */
function recordFile(inputs: string): string {
  return path.join(cacheDirectory, "buildah/built", inputs);
}

/** Pushes an image that was built here to the registry in its name. One that the lab's registry has already is left. */
export async function pushBuilt(registry: Registry, reference: string): Promise<void> {
  if (reference.startsWith(`${registryName}/`) && (await registry.manifest(parseReference(reference)))) return;
  using buildah = prepareBuildah(registry);
  const images = JSON.parse(await buildah.run("images", "--json")) as { names?: string[] }[];
  if (!images.some((image) => image.names?.includes(reference))) {
    throw refusal(
      `there is no image ${reference} that was built here`,
      "`lab image build app` builds one; it prints the name to push.",
    );
  }
  await push(buildah, registry, reference);
}

/** registries.conf is for pulling only: a push names the lab's registry by its address. */
async function push(buildah: Buildah, registry: Registry, reference: string): Promise<void> {
  const inLab = reference.startsWith(`${registryName}/`);
  if (inLab) await shareBaseLayers(buildah, registry, reference);
  const destination = inLab ? reference.replace(registryName, registry.address) : reference;
  await buildah.run("push", "--format=oci", `--tls-verify=${!inLab}`, reference, `docker://${destination}`);
}

/**
 * Puts the layers of the image's base into its repository as they are in the base's. Otherwise it depends on what
 * buildah remembers of other pushes whether it compresses them, and the same image gets one digest or another.
 */
async function shareBaseLayers(buildah: Buildah, registry: Registry, reference: string): Promise<void> {
  const inspected = await buildah.run("inspect", "--type=image", reference);
  const { ImageAnnotations: annotations } = JSON.parse(inspected) as {
    ImageAnnotations: Record<string, string> | null;
  };
  const name = annotations?.["org.opencontainers.image.base.name"] ?? "";
  if (!name.startsWith(`${registryName}/`)) return;
  const from = name.slice(registryName.length + 1).replace(/[:@].*$/, "");
  const digest = annotations?.["org.opencontainers.image.base.digest"] ?? "";
  const base = await registry.manifest({ repository: from, tag: digest });
  const { repository } = parseReference(reference);
  for (const layer of base?.manifest.layers ?? []) await registry.mountBlob(repository, layer.digest, from);
}

type Buildah = Disposable & { work: string; run: (...args: string[]) => Promise<string> };

/**
 * buildah with the project's own storage, for which registry.local is the lab's registry.
 * It runs in a mount namespace of its own, because it leaves mounts behind, even after a success.
 */
function prepareBuildah(registry: Registry): Buildah {
  const home = path.join(cacheDirectory, "buildah");
  mkdirSync(home, { recursive: true });
  const work = mkdtempSync(path.join(home, "work-"));
  const registries = path.join(work, "registries.conf");
  writeFileSync(registries, registriesConfig(registry.address));
  return {
    work,
    run: async (...args) =>
      await run("unshare", ["--mount", "--propagation=slave", "buildah", ...storage, ...args], {
        env: { ...process.env, CONTAINERS_REGISTRIES_CONF: registries },
      }),
    [Symbol.dispose]: () => rmSync(work, { recursive: true, force: true }),
  };
}

async function builtTags(buildah: Buildah, repository: string): Promise<string[]> {
  const images = JSON.parse(await buildah.run("images", "--json")) as { names?: string[] }[];
  const names = images.flatMap((image) => image.names ?? []);
  return names.filter((name) => name.startsWith(`${repository}:`)).map((name) => name.slice(repository.length + 1));
}

const storage = [
  `--root=${path.join(cacheDirectory, "buildah/storage")}`,
  `--runroot=${path.join(cacheDirectory, "buildah/run")}`,
  "--storage-driver=overlay",
];

/** YYYYMMDD.N in UTC, N counted up from the day's highest. */
export function nextTag(tags: readonly string[], now: Date): string {
  const day = now.toISOString().slice(0, 10).replaceAll("-", "");
  const numbers = tags.map((tag) => new RegExp(`^${day}\\.(\\d+)$`).exec(tag)?.[1]).filter((it) => it !== undefined);
  return `${day}.${Math.max(0, ...numbers.map(Number)) + 1}`;
}

export function registriesConfig(address: string): string {
  return `unqualified-search-registries = []
[[registry]]
prefix = "${registryName}"
location = "${address}"
insecure = true
`;
}

/** The repository's tags, newest first, with the digest of each one's configuration: buildah's image id. */
async function pushedTags(registry: Registry, repository: string): Promise<{ tag: string; imageId: string }[]> {
  const tags = (await registry.tags(repository)).toSorted((a, b) => b.localeCompare(a, "en", { numeric: true }));
  const found = await Promise.all(tags.map((tag) => registry.manifest({ repository, tag })));
  return tags.map((tag, index) => ({ tag, imageId: found[index]?.manifest.config.digest ?? "" }));
}
