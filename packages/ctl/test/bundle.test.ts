import { execFileSync } from "node:child_process";
import { build } from "esbuild";
import { join } from "node:path";
import { expect, test } from "vitest";
import { lightHttp } from "../../../bundle.shared.ts";
import { temporaryFile, temporaryFolder } from "./fixtures/files.ts";

test("a bundle has node:http however it is imported, and does not load undici with it", async () => {
  const entry = await temporaryFile(
    "entry.mjs",
    `import http, { STATUS_CODES } from "node:http";
     import * as all from "http";
     const lazy = await import("node:http");
     const imported = [http.request, all.request, all.default.request, lazy.request, lazy.default.request];
     const isWhole = imported.every((request) => request === http.request) && STATUS_CODES[404] === "Not Found";
     console.log(JSON.stringify({ isWhole, undici: process.moduleLoadList.filter((name) => name.includes("undici")) }));`,
  );
  const outdir = await temporaryFolder();
  const shape = { bundle: true, splitting: true, format: "esm", platform: "node" } as const;
  await build({ ...shape, entryPoints: { entry }, outdir, outExtension: { ".js": ".mjs" }, plugins: [lightHttp] });
  const told = execFileSync(process.execPath, [join(outdir, "entry.mjs")], { encoding: "utf8" });
  expect(JSON.parse(told)).toEqual({ isWhole: true, undici: [] });
});
