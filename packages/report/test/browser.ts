import { existsSync } from "node:fs";
import axe from "axe-core";
import { type Browser, chromium, type Page } from "playwright-core";

/** Starts the system's Chromium, or says how to get one: a page that nobody has seen drawn is not tested. */
export async function startBrowser(): Promise<Browser> {
  const executablePath = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
  if (!existsSync(executablePath))
    throw new Error(
      `Chromium is missing: ${executablePath} does not exist, and the page is tested in a real browser.\n` +
        "Install it (Debian, Ubuntu: apt-get install chromium) or name one in CHROMIUM.",
    );
  return chromium.launch({ executablePath });
}

/** What axe finds wrong with a page for those who cannot see it, or not well, or use no mouse. */
export async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const found = await page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: { run(): Promise<{ violations: { id: string; nodes: { html: string; failureSummary: string }[] }[] }> };
    };
    return (await axe.run()).violations;
  });
  return found.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html}: ${failureSummary}`));
}
