import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import { build, type Plugin } from "esbuild";

/**
 * Gets `node:http` without an import of it: Node's loader reads every export of what is imported, and those of this
 * module that are got only when they are read load all of undici, which takes longer than the rest of a small program's
 * start. They are left out.
 */
export const lightHttp: Plugin = {
  name: "light-http",
  setup(bundler) {
    const descriptors = Object.entries(Object.getOwnPropertyDescriptors(http));
    const names = descriptors.filter(([, descriptor]) => "value" in descriptor).map(([name]) => name);
    bundler.onResolve({ filter: /^(node:)?http$/ }, ({ kind }) =>
      kind === "require-call" ? undefined : { path: "http", namespace: "light-http" },
    );
    bundler.onLoad({ filter: /^http$/, namespace: "light-http" }, () => ({
      contents: `const http = process.getBuiltinModule("node:http");
        export default http;
        export const { ${names.join(", ")} } = http;`,
    }));
  },
};

/**
 * Leaves out what nobody calls of the Kubernetes client, of which only the reading of kubeconfigs is used: a client by
 * fetch, and a class for every kind. Together they are nine tenths of it, which each start of a program would compile.
 */
const kubeconfigAlone: Plugin = {
  name: "kubeconfig-alone",
  setup(bundler) {
    bundler.onResolve({ filter: /^(undici|\.\/gen\/index\.js)$/ }, ({ importer }) =>
      importer.endsWith("/client-node/dist/config.js") ? { path: "unused", namespace: "kubeconfig-alone" } : undefined,
    );
    bundler.onLoad({ filter: /^unused$/, namespace: "kubeconfig-alone" }, () => ({
      contents:
        "export const Agent = undefined, ProxyAgent = undefined, createConfiguration = undefined, ServerConfiguration = undefined;",
    }));
  },
};

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
    plugins: [lightHttp, kubeconfigAlone],
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
