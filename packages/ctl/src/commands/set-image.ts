import { mkdir, readFile, realpath, rename, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { type Document, isMap, isScalar, parseDocument } from "yaml";
import { parseImageReference } from "../domain/image-reference.ts";
import { CtlError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import type { Outcome } from "../output.ts";

export interface SetImageOptions {
  file: string;
}

/** Writes the image into a values file, and leaves everything else in it, comments too, as it was. */
export async function runSetImage(image: string, options: SetImageOptions): Promise<Outcome> {
  const reference = parseImageReference(image);
  if (reference === undefined) {
    throw new CtlError("CTL_E_USAGE", `"${image}" is not an image reference`, {
      next: "write it as registry/name:tag",
    });
  }
  const before = await readFile(options.file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "";
    throw new CtlError("CTL_E_USAGE", `${options.file} cannot be read: ${error.message}`, {
      next: "name the values file with --file",
      cause: error,
    });
  });
  const document = parseDocument(before);
  const problem = whyNoValues(document);
  if (problem !== undefined) {
    throw new CtlError("CTL_E_USAGE", `${options.file}: ${problem}`, {
      next: "correct the file; nothing was changed in it",
    });
  }
  // `image:` with nothing after it.
  if (!isMap(document.get("image"))) document.set("image", document.createNode({}));
  document.setIn(["image", "repository"], image.replace(/@.*$/, "").replace(/:[^:/]*$/, ""));
  document.setIn(["image", "tag"], reference.tag ?? "");
  document.setIn(["image", "digest"], reference.digest ?? "");
  const after = document.toString({ lineWidth: 0, flowCollectionPadding: /[[{] \S/.test(before) });
  if (after !== before) await writeWhole(options.file, after);
  const what = after === before ? `${options.file} names ${image} already` : `${options.file} names ${image} now`;
  return {
    exit: ExitCode.ok,
    text: `✓ ${what}\n`,
    json: { schemaVersion: 1, kind: "setImage", file: options.file, image, changed: after !== before },
  };
}

function whyNoValues(document: Document): string | undefined {
  const [error] = document.errors;
  if (error !== undefined) return `not one YAML document: ${error.message}`;
  if (document.contents !== null && !isMap(document.contents)) return "it holds something else than a YAML map";
  const image = document.get("image", true);
  const isEmpty = image === undefined || (isScalar(image) && image.value === null);
  return isEmpty || isMap(image) ? undefined : "its value `image` is not a map of repository, tag and digest";
}

/** A full disk or a crash leaves the old file whole. */
async function writeWhole(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const target = await realpath(file).catch(() => file);
  const mode = (await stat(target).catch(() => undefined))?.mode;
  const next = `${target}.next`;
  await writeFile(next, text, mode === undefined ? {} : { mode });
  await rename(next, target);
}
