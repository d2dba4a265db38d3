import { build } from "esbuild";

await build({
  entryPoints: ["src/main.ts"],
  outfile: "dist/smoke.mjs",
  bundle: true,
  platform: "node",
  target: "node24",
  format: "esm",
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: "linked",
  // commander is CommonJS and calls require for Node's own modules.
  banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
});
