import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { quote } from "../src/commands/env.ts";

test.each(["/plain/path:/usr/bin", "with space", "it's", '$HOME "x" `id`', "a\nb", ""])(
  "a shell reads %j back as it was",
  (value) => {
    const read = execFileSync("sh", ["-c", `X=${quote(value)}; printf %s "$X"`], { encoding: "utf8" });
    expect(read).toBe(value);
  },
);
