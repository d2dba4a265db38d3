import { expect, test } from "vitest";
import { programImage } from "../../src/images/binary-image.ts";

test("a program's image holds it in /bin, where upstream's images have it and no volume is mounted over it", async () => {
  const { config, reference, content } = await programImage("prometheus");
  expect(config).toMatchObject({ Entrypoint: ["/bin/prometheus"], User: "65534:65534" });
  expect(reference.tag).toContain(content.slice(0, 8));
});

test("images that others refer to keep their tag", async () => {
  expect((await programImage("pause")).reference).toEqual({ repository: "pause", tag: "1" });
  expect((await programImage("podinfo")).reference).toEqual({ repository: "podinfo", tag: "6.9.2" });
});
