import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { build } from "esbuild";

/** Where the bundle goes; a test makes one of its own. */
const [outdir = "dist"] = process.argv.slice(2);

/** One entry, split where it imports lazily: `--help` loads the argument parser and nothing of the cluster's client. */
const { outputFiles } = await build({
  entryPoints: { ctl: "src/main.ts" },
  outdir,
  write: false,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  splitting: true,
  minify: true,
  format: "esm",
  platform: "node",
  target: "node24",
  legalComments: "none",
  banner: {
    js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
  },
});

// A ctl that runs meanwhile finds what it needs: chunks, named by their content, come before the entry that names them.
mkdirSync(outdir, { recursive: true });
const entryLast = outputFiles.toSorted((a, b) => Number(isEntry(a.path)) - Number(isEntry(b.path)));
for (const file of entryLast) {
  writeFileSync(`${file.path}.new`, file.contents);
  renameSync(`${file.path}.new`, file.path);
}
const built = new Set(outputFiles.map((file) => path.basename(file.path)));
for (const name of readdirSync(outdir)) if (!built.has(name)) rmSync(path.join(outdir, name));

function isEntry(file: string): boolean {
  return path.basename(file) === "ctl.mjs";
}
