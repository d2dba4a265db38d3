import { rmSync } from "node:fs";
import { build } from "esbuild";

// Chunks are named by their content: those of an earlier build would stay for ever.
rmSync("dist", { recursive: true, force: true });
await build({
  entryPoints: { verdict: "src/main.ts" },
  outdir: "dist",
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
