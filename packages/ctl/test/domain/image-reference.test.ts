import * as fc from "fast-check";
import { expect, test } from "vitest";
import { type ImageReference, parseImageReference } from "../../src/domain/image-reference.ts";

const digest = `sha256:${"0123456789abcdef".repeat(4)}`;

test.each<[string, ImageReference]>([
  ["nginx", { registry: "docker.io", repository: "library/nginx", tag: "latest", digest: undefined }],
  ["nginx:1.27", { registry: "docker.io", repository: "library/nginx", tag: "1.27", digest: undefined }],
  ["team/app", { registry: "docker.io", repository: "team/app", tag: "latest", digest: undefined }],
  ["localhost/app:1", { registry: "localhost", repository: "app", tag: "1", digest: undefined }],
  ["localhost:5000/app", { registry: "localhost:5000", repository: "app", tag: "latest", digest: undefined }],
  ["r.io/a/b-c/d__e:v1", { registry: "r.io", repository: "a/b-c/d__e", tag: "v1", digest: undefined }],
  [`r.io:443/app@${digest}`, { registry: "r.io:443", repository: "app", tag: undefined, digest }],
  [`r.io/app:1@${digest}`, { registry: "r.io", repository: "app", tag: "1", digest }],
])("%s", (text, reference) => {
  expect(parseImageReference(text)).toEqual(reference);
});

test.each([
  "",
  " ",
  "My/App",
  "app:",
  "app@sha256:12",
  `app@md5:${"a".repeat(32)}`,
  "app:a b",
  "a//b",
  "/app",
  "app:-x",
  "http://r.io/app",
])("%j is no image reference", (text) => {
  expect(parseImageReference(text)).toBeUndefined();
});

test("what is put together is taken apart again", () => {
  const name = fc.stringMatching(/^[a-z0-9]{1,8}(-[a-z0-9]{1,8})?$/);
  fc.assert(
    fc.property(
      fc.constantFrom("registry.local", "localhost:5000", "10.0.0.2:80"),
      fc.array(name, { minLength: 1, maxLength: 3 }),
      fc.stringMatching(/^\w[\w.-]{0,20}$/),
      fc.boolean(),
      (registry, path, tag, pinned) => {
        const repository = path.join("/");
        const text = `${registry}/${repository}:${tag}${pinned ? `@${digest}` : ""}`;
        expect(parseImageReference(text)).toEqual({ registry, repository, tag, digest: pinned ? digest : undefined });
      },
    ),
  );
});
