import { expect, test } from "vitest";
import { mountsBelow, parseMounts } from "../src/node/mounts.ts";

const text = `22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 254:0 /labs/one/ns /labs/one/ns rw,relatime - ext4 /dev/vda rw
31 30 0:4 mnt:[4026532567] /labs/one/ns/mnt rw - nsfs nsfs rw
32 22 254:0 / /labs/one-more/x rw - ext4 /dev/vda rw
33 22 0:30 / /labs/one/with\\040space rw - tmpfs tmpfs rw,size=1k
34 22 0:31 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
`;

test("a mount's place, type and options are read from mountinfo, escapes included", () => {
  const mounts = parseMounts(text);
  expect(mounts).toHaveLength(6);
  expect(mounts[4]).toEqual({
    root: "/",
    target: "/labs/one/with space",
    type: "tmpfs",
    source: "tmpfs",
    superOptions: ["rw", "size=1k"],
  });
  expect(mounts[5]?.superOptions).toContain("pids");
});

test("mounts below a directory come in the order in which they can be unmounted, without a neighbour's", () => {
  expect(mountsBelow("/labs/one", parseMounts(text))).toEqual([
    "/labs/one/with space",
    "/labs/one/ns/mnt",
    "/labs/one/ns",
  ]);
});
