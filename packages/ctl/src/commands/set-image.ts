import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { isMap, parseDocument } from "yaml";
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
    throw error;
  });
  const document = parseDocument(before);
  if (document.errors.length > 0 || (document.contents !== null && !isMap(document.contents))) {
    throw new CtlError(
      "CTL_E_USAGE",
      `${options.file} is not a YAML map: ${document.errors[0]?.message ?? "it holds something else"}`,
      {
        next: "correct the file; nothing was changed in it",
      },
    );
  }
  document.setIn(["image", "repository"], image.replace(/@.*$/, "").replace(/:[^:/]*$/, ""));
  document.setIn(["image", "tag"], reference.tag ?? "");
  document.setIn(["image", "digest"], reference.digest ?? "");
  const after = document.toString();
  if (after !== before) await writeWhole(options.file, after);
  const what = after === before ? `${options.file} names ${image} already` : `${options.file} names ${image} now`;
  return {
    exit: ExitCode.ok,
    text: `✓ ${what}\n`,
    json: { schemaVersion: 1, kind: "setImage", file: options.file, image, changed: after !== before },
  };
}

/** A full disk or a crash leaves the old file whole. */
async function writeWhole(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const next = `${file}.next`;
  await writeFile(next, text);
  await rename(next, file);
}
