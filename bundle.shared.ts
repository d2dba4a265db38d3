import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { build } from "esbuild";

/**
 * Bundles a program from `src/main.ts` of the present folder, split where it imports lazily: what is not asked for is not
 * loaded.
 *
 * @param program how its entry is named, without an ending.
 * @param outdir is made where it is missing, and holds nothing else afterwards.
 */
export async function bundleProgram(program: string, outdir = "dist"): Promise<void> {
  const { outputFiles } = await build({
    entryPoints: { [program]: "src/main.ts" },
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
    // Dependencies that are CommonJS still call require.
    banner: {
      js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
    },
  });
  // Whoever runs it meanwhile finds what it needs: chunks, named by their content, come before the entry that names them.
  mkdirSync(outdir, { recursive: true });
  const isEntry = (file: { path: string }) => path.basename(file.path) === `${program}.mjs`;
  for (const file of outputFiles.toSorted((a, b) => Number(isEntry(a)) - Number(isEntry(b)))) {
    writeFileSync(`${file.path}.new`, file.contents);
    renameSync(`${file.path}.new`, file.path);
  }
  const built = new Set(outputFiles.map((file) => path.basename(file.path)));
  for (const name of readdirSync(outdir)) if (!built.has(name)) rmSync(path.join(outdir, name), { recursive: true });
}
