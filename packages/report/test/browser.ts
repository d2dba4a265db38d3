import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

/** Starts the system's Chromium, or says how to get one: a page that nobody has seen drawn is not tested. */
export async function startBrowser(): Promise<Browser> {
  const executablePath = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
  if (!existsSync(executablePath))
    throw new Error(
      `Chromium is missing: ${executablePath} does not exist, and the page is tested in a real browser.\n` +
        "Install it (Debian, Ubuntu: apt-get install chromium) or name one in CHROMIUM.",
    );
  // Chromium's sandbox refuses to run as root.
  return chromium.launch({ executablePath, chromiumSandbox: process.getuid?.() !== 0 });
}
