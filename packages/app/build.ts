import { cp, rm } from "node:fs/promises";
import { build } from "esbuild";
import { lightHttp } from "../../bundle.shared.ts";

// Dependencies that are CommonJS inside an ES module bundle still call require.
const REQUIRE = `import { createRequire } from "node:module"; const require = createRequire(import.meta.url);`;

await rm("dist", { recursive: true, force: true });
await build({
  entryPoints: ["src/server.ts", "src/worker.ts", "src/migrate.ts"],
  outdir: "dist",
  outExtension: { ".js": ".mjs" },
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node24",
  banner: { js: REQUIRE },
  // Optional native driver of pg, and its driver for another runtime.
  external: ["pg-native", "cloudflare:sockets"],
  plugins: [lightHttp],
  logLevel: "warning",
});
await cp("migrations", "dist/migrations", { recursive: true });
