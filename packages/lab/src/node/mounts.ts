import { readFileSync } from "node:fs";

/** One line of /proc/PID/mountinfo (proc_pid_mountinfo(5)). */
export type Mount = { root: string; target: string; type: string; source: string; superOptions: string[] };

export function parseMounts(text: string): Mount[] {
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => {
      const [before = "", after = ""] = line.split(" - ");
      const [, , , root = "", target = ""] = before.split(" ");
      const [type = "", source = "", superOptions = ""] = after.split(" ");
      return {
        root: unescape(root),
        target: unescape(target),
        type,
        source: unescape(source),
        superOptions: superOptions.split(","),
      };
    });
}

export function readMounts(): Mount[] {
  return parseMounts(readFileSync("/proc/self/mountinfo", "utf8"));
}

/** Mount points at or below the directory, the deepest and latest first: the order in which they can be unmounted. */
export function mountsBelow(directory: string, mounts: Mount[]): string[] {
  return mounts
    .map((mount) => mount.target)
    .filter((target) => target === directory || target.startsWith(`${directory}/`))
    .toReversed();
}

/** The kernel writes space, tab, newline and backslash as octal escapes. */
function unescape(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
