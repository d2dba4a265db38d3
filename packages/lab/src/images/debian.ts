import { mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { run } from "../command.ts";
import { LabError } from "../errors.ts";

/** What a package needs, as its control record says: the first alternative of each, without versions. */
export function dependenciesOf(record: string): string[] {
  const fields = record.split("\n").filter((line) => /^(Pre-)?Depends: /.test(line));
  return fields
    .flatMap((line) => line.slice(line.indexOf(":") + 1).split(","))
    .map((alternatives) => /^[^\s(:|]+/.exec(alternatives.trim())?.[0] ?? "")
    .filter(Boolean);
}

/** The packages and all that they need, without those in `except` and what only these need. */
export async function withDependencies(packages: readonly string[], except: readonly string[]): Promise<string[]> {
  const known = new Set<string>();
  let next = [...packages];
  while (next.length > 0) {
    for (const name of next) known.add(name);
    const records = (await apt("apt-cache", ["show", "--no-all-versions", ...next])).split("\n\n");
    const needed = new Set(records.flatMap(dependenciesOf));
    next = [...needed].filter((name) => !known.has(name) && !except.includes(name));
  }
  return [...known].toSorted();
}

/** Unpacks Debian packages, as their maintainers built them and without running their scripts, below `root`. */
export async function unpackPackages(packages: readonly string[], root: string): Promise<void> {
  const downloads = `${root}.packages`;
  mkdirSync(downloads, { recursive: true });
  // Programs and libraries lie below /usr since Debian 12; the old names are links.
  for (const name of ["bin", "sbin", "lib", "lib64"]) {
    mkdirSync(path.join(root, "usr", name), { recursive: true });
    symlinkSync(`usr/${name}`, path.join(root, name));
  }
  try {
    await apt("apt-get", ["download", "-qq", "-o", "APT::Sandbox::User=root", ...packages], downloads);
    for (const file of readdirSync(downloads)) {
      const unpack =
        'dpkg-deb --fsys-tarfile "$0" | tar --extract --keep-directory-symlink --no-same-owner --directory "$1"';
      await run("sh", ["-c", unpack, path.join(downloads, file), root]);
    }
  } finally {
    rmSync(downloads, { recursive: true, force: true });
  }
  for (const unread of ["doc", "man", "info", "locale", "lintian", "bug", "bash-completion"]) {
    rmSync(path.join(root, "usr/share", unread), { recursive: true, force: true });
  }
}

/** What the maintainer scripts would have made of an image: the users, and the bundle of trusted authorities. */
export function writeSystemFiles(root: string, users: { name: string; id: number; home: string }[]): void {
  const all = [{ name: "root", id: 0, home: "/root" }, ...users];
  const line = (fields: (string | number)[]) => `${fields.join(":")}\n`;
  const passwd = all.map((user) => line([user.name, "x", user.id, user.id, "", user.home, "/usr/sbin/nologin"]));
  mkdirSync(path.join(root, "etc/ssl/certs"), { recursive: true });
  writeFileSync(path.join(root, "etc/passwd"), passwd.join(""));
  writeFileSync(path.join(root, "etc/group"), all.map((user) => line([user.name, "x", user.id, ""])).join(""));
  writeFileSync(path.join(root, "etc/nsswitch.conf"), "passwd: files\ngroup: files\nhosts: files dns\n");
  const authorities = path.join(root, "usr/share/ca-certificates/mozilla");
  const bundle = readdirSync(authorities).map((file) => readFileSync(path.join(authorities, file), "utf8"));
  writeFileSync(path.join(root, "etc/ssl/certs/ca-certificates.crt"), bundle.join(""));
}

async function apt(program: string, args: string[], cwd?: string): Promise<string> {
  try {
    return await run(program, args, { ...(cwd === undefined ? {} : { cwd }), env: { ...process.env, LC_ALL: "C" } });
  } catch (cause) {
    throw new LabError(`Debian's packages could not be read: ${(cause as Error).message}`, {
      hint: "Run `apt-get update`, then the same command again. On another distribution give NODE_IMAGE and a Postgres image of a registry.",
      cause,
    });
  }
}
