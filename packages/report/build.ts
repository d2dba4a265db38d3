import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** Bundles one file of the page for a browser. */
async function bundle(entryPoint: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [entryPoint],
    bundle: true,
    minify: true,
    write: false,
    format: "iife",
    target: ["chrome120", "firefox121", "safari17"],
    legalComments: "none",
  });
  const [file] = outputFiles;
  if (file === undefined) throw new Error(`esbuild made nothing of ${entryPoint}`);
  return file.text;
}

/** uPlot's licence asks to go where its code goes; Idiomorph's asks for nothing. */
const licence = readFileSync(new URL("../LICENSE", import.meta.resolve("uplot")), "utf8").trim();
const assets = {
  script: `/* uPlot:\n${licence}\n*/\n${await bundle("src/page/main.ts")}`,
  style: await bundle("src/page/style.css"),
};

mkdirSync(fileURLToPath(new URL("dist", import.meta.url)), { recursive: true });
writeFileSync(
  new URL("dist/page-assets.mjs", import.meta.url),
  Object.entries(assets)
    .map(([name, text]) => `export const ${name} = ${JSON.stringify(text)};\n`)
    .join(""),
);
