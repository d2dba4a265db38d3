import { rmSync } from "node:fs";
import { build } from "esbuild";

/** Where the bundle goes; a test makes one of its own. */
const [outdir = "dist"] = process.argv.slice(2);

// Chunks are named by their content: those of an earlier build would stay for ever.
rmSync(outdir, { recursive: true, force: true });

await build({
  entryPoints: { agent: "src/main.ts" },
  outdir,
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
