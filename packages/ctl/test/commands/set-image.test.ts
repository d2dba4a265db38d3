import { lstat, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { runSetImage } from "../../src/commands/set-image.ts";
import { temporaryFile, temporaryFolder } from "../fixtures/files.ts";

const digest = `sha256:${"d".repeat(64)}`;

const commented = `# who owns this file
replicaCount: 3 # three zones

image:
  # changed by the pipeline
  repository: registry.local/myapp # not by hand
  tag: "20260301.1"
  pullPolicy: IfNotPresent

config:
  GREETING: "a line that is longer than eighty characters, so that a careless writer would fold it in the middle of it"
  LIST: [a, b]
`;

describe("an image is written into a values file", () => {
  test("and comments, order and everything else stay", async () => {
    const file = await temporaryFile("values.yaml", commented);
    const outcome = await runSetImage("registry.local/other:20260302.1", { file });
    expect(outcome.exit).toBe(0);
    const text = await readFile(file, "utf8");
    const changed = commented
      .replace("registry.local/myapp #", "registry.local/other #")
      .replace("20260301.1", "20260302.1")
      .replace("  pullPolicy: IfNotPresent\n", '  pullPolicy: IfNotPresent\n  digest: ""\n');
    expect(text).toBe(changed);
  });

  test("and a second time changes nothing", async () => {
    const file = await temporaryFile("values.yaml", commented);
    await runSetImage("registry.local/other:1", { file });
    const before = await readFile(file, "utf8");
    const { mtimeMs } = await stat(file);
    const outcome = await runSetImage("registry.local/other:1", { file });
    expect(outcome.json).toMatchObject({ changed: false });
    expect(outcome.text).toContain("already");
    expect(await readFile(file, "utf8")).toBe(before);
    expect((await stat(file)).mtimeMs).toBe(mtimeMs);
  });

  test("whatever the image is, it is read back as the same strings, and nothing is left beside the file", async () => {
    const file = await temporaryFile("values.yaml", commented);
    await fc.assert(
      fc.asyncProperty(
        fc.stringMatching(/^[a-z0-9]{1,8}(\/[a-z0-9]{1,8})?$/),
        // Such as 1.10, 0x10, 20260301.1, 1e3, true, null: YAML has its own ideas of them.
        fc.oneof(
          fc.stringMatching(/^\w[\w.-]{0,12}$/),
          fc.constantFrom("1.10", "0x10", "1e3", "null", "true", "20260301"),
        ),
        fc.boolean(),
        async (path, tag, pinned) => {
          const repository = `localhost:5000/${path}`;
          await runSetImage(`${repository}:${tag}${pinned ? `@${digest}` : ""}`, { file });
          const values = parse(await readFile(file, "utf8")) as Record<string, unknown>;
          expect(values["image"]).toEqual({
            repository,
            tag,
            pullPolicy: "IfNotPresent",
            digest: pinned ? digest : "",
          });
          expect(values["replicaCount"]).toBe(3);
        },
      ),
    );
    expect(await readdir(dirname(file))).toEqual(["values.yaml"]);
  });

  test("by digest alone, the tag of before goes", async () => {
    const file = await temporaryFile("values.yaml", commented);
    await runSetImage(`registry.local/myapp@${digest}`, { file });
    expect(parse(await readFile(file, "utf8"))).toMatchObject({
      image: { repository: "registry.local/myapp", tag: "", digest },
    });
  });

  test.each(["", "# only a comment\n", "image:\n", "image: null\n", "other: 1\n"])("into %j too", async (before) => {
    const file = await temporaryFile("values.yaml", before);
    await runSetImage("registry.local/myapp:1", { file });
    expect(parse(await readFile(file, "utf8"))).toMatchObject({
      image: { repository: "registry.local/myapp", tag: "1" },
    });
  });

  test("into a file that does not exist yet, with its folder", async () => {
    const file = join(await temporaryFolder(), "deploy", "values.yaml");
    await runSetImage("registry.local/myapp:1", { file });
    expect(parse(await readFile(file, "utf8"))).toEqual({
      image: { repository: "registry.local/myapp", tag: "1", digest: "" },
    });
  });

  test("through a symbolic link, which stays one", async () => {
    const file = await temporaryFile("values.yaml", commented);
    const link = join(dirname(file), "link.yaml");
    await symlink(file, link);
    await runSetImage("registry.local/myapp:2", { file: link });
    expect((await lstat(link)).isSymbolicLink()).toBe(true);
    expect(parse(await readFile(file, "utf8"))).toMatchObject({ image: { tag: "2" } });
  });

  test("and the file keeps its mode", async () => {
    const file = await temporaryFile("values.yaml", commented, 0o600);
    await runSetImage("registry.local/myapp:2", { file });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });
});

describe("nothing is changed", () => {
  test.each([
    ["image: [unclosed\n"],
    ["a: 1\na: 2\n"],
    ["- a\n- list\n"],
    ["just text\n"],
    ["image: registry.local/myapp:1\n"],
    ["image: [a]\n"],
    ["a: 1\n---\nb: 2\n"],
  ])("in a file that is no values file: %j", async (before) => {
    const file = await temporaryFile("values.yaml", before);
    await expect(runSetImage("registry.local/myapp:1", { file })).rejects.toMatchObject({
      code: "CTL_E_USAGE",
      message: expect.stringContaining(file) as string,
    });
    expect(await readFile(file, "utf8")).toBe(before);
    expect(await readdir(dirname(file))).toEqual(["values.yaml"]);
  });

  test.each(["", "My App", "app:", `app@${digest}0`])("for the image %j", async (image) => {
    const file = await temporaryFile("values.yaml", commented);
    await expect(runSetImage(image, { file })).rejects.toMatchObject({ code: "CTL_E_USAGE" });
    expect(await readFile(file, "utf8")).toBe(commented);
  });

  test("when the file is a folder", async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, "inside"), "");
    await expect(runSetImage("registry.local/myapp:1", { file: folder })).rejects.toMatchObject({
      code: "CTL_E_USAGE",
    });
  });
});
