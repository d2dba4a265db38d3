import { createHash } from "node:crypto";
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { refusal } from "../errors.ts";
import { cacheDirectory, checkout } from "../identity.ts";
import { hostArchitecture } from "../toolchain/recipe.ts";
import { unpackPackages, withDependencies, writeSystemFiles } from "./debian.ts";
import { isPushed, pushImage, readLayer, writeLayer, type Layer, type RuntimeConfig } from "./oci-image.ts";
import { formatReference, type Reference, type Registry } from "./registry.ts";

/** An image made of Debian's packages and a few files, on a machine that reaches no registry. */
type SystemImage = {
  reference: Reference;
  packages: readonly string[];
  /** Left out with all that only they need; given, `packages` are taken with what they depend on. */
  except?: readonly string[];
  users: { name: string; id: number; home: string }[];
  /** Files beside the packages': where they come from, by their place in the image. */
  files: Record<string, string>;
  /** A small file that changes whenever the files above do; without it they are compared themselves. */
  versionFile?: string;
  /** Made for the image's user to write in. */
  writable?: readonly string[];
  config: RuntimeConfig;
};

const nodePackage = path.join(checkout, "node_modules", `node-linux-${process.arch}`);

const base = ["base-files", "ca-certificates", "libc6", "libgcc-s1", "libstdc++6", "tzdata", "dash"];

/** Raised when this file comes to build something else from the same description. */
const recipeVersion = 1;

const images = {
  node: {
    reference: { repository: "node", tag: "24" },
    packages: base,
    users: [{ name: "node", id: 65532, home: "/home/node" }],
    files: { "/usr/local/bin/node": path.join(nodePackage, "bin/node") },
    versionFile: path.join(nodePackage, "package.json"),
    config: { User: "0:0", Cmd: ["node"], Env: ["PATH=/usr/local/bin:/usr/bin:/bin"] },
  },
  postgres: {
    reference: { repository: "postgres", tag: "15" },
    packages: [...base, "coreutils", "libc-bin", "postgresql-15", "postgresql-client-15"],
    except: [
      // Set-up programs of a whole system, and the compiler of queries.
      ...[
        "awk",
        "debconf",
        "debianutils",
        "dpkg",
        "libllvm14",
        "libpam-runtime",
        "locales",
        "openssl",
        "readline-common",
      ],
      ...["postgresql-common", "postgresql-client-common", "sensible-utils", "ssl-cert"],
    ],
    users: [{ name: "postgres", id: 999, home: "/var/lib/postgresql" }],
    files: { "/entrypoint.sh": path.resolve(import.meta.dirname, "../../images/postgres/entrypoint.sh") },
    writable: ["/var/lib/postgresql/data"],
    config: {
      User: "999:999",
      Entrypoint: ["/entrypoint.sh"],
      Env: ["PATH=/usr/lib/postgresql/15/bin:/usr/bin:/bin", "PGDATA=/var/lib/postgresql/data/pgdata", "LANG=C.UTF-8"],
      // Fast shutdown: SIGTERM would wait for every client to leave.
      StopSignal: "SIGINT",
    },
  },
} as const satisfies Record<string, SystemImage>;

export type SystemImageName = keyof typeof images;

/** Pushes the image, built if this machine has not built it yet, unless the registry has it. Returns its name. */
export async function ensureSystemImage(registry: Registry, name: SystemImageName): Promise<string> {
  const image: SystemImage = images[name];
  const content = contentOf(image);
  if (!(await isPushed(registry, image.reference, content))) {
    const layer = await ensureLayer(name, image, content);
    await pushImage(registry, image.reference, {
      layer,
      config: image.config,
      architecture: hostArchitecture(),
      content,
    });
  }
  return formatReference(image.reference);
}

/** A hash of everything the image is made from, but for the versions of Debian's packages. */
function contentOf(image: SystemImage): string {
  const { versionFile, files, ...rest } = image;
  const hash = createHash("sha256").update(
    JSON.stringify([recipeVersion, hostArchitecture(), rest, Object.keys(files)]),
  );
  for (const source of versionFile === undefined ? Object.values(files) : [versionFile]) {
    if (!existsSync(source)) {
      throw refusal(
        `the image ${image.reference.repository} needs ${source}, which is not there`,
        "Run `make bootstrap`.",
      );
    }
    hash.update(readFileSync(source));
  }
  return hash.digest("hex");
}

async function ensureLayer(name: string, image: SystemImage, content: string): Promise<Layer> {
  const archive = path.join(cacheDirectory, "layers", `${name}-${content.slice(0, 16)}.tar`);
  if (existsSync(archive)) return await readLayer(archive);
  mkdirSync(path.dirname(archive), { recursive: true });
  const work = mkdtempSync(`${archive}.`);
  const root = path.join(work, "root");
  try {
    mkdirSync(root, { mode: 0o755 });
    await unpackPackages(image.except ? await withDependencies(image.packages, image.except) : image.packages, root);
    writeSystemFiles(root, image.users);
    for (const [target, source] of Object.entries(image.files)) {
      const file = path.join(root, target);
      mkdirSync(path.dirname(file), { recursive: true });
      copyFileSync(source, file);
      chmodSync(file, 0o755);
    }
    for (const directory of [...(image.writable ?? []), "/tmp"]) {
      mkdirSync(path.join(root, directory), { recursive: true });
      chmodSync(path.join(root, directory), 0o1777);
    }
    return await writeLayer(archive, ["--directory", root, "."]);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
