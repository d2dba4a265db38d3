import { existsSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";

/** Starts the system's Chromium, or says how to get one. */
export async function startBrowser(): Promise<Browser> {
  const executablePath = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
  if (!existsSync(executablePath)) {
    throw new Error(
      `Chromium is missing: ${executablePath} does not exist. Install it (Debian, Ubuntu: apt-get install chromium) or name one in CHROMIUM.`,
    );
  }
  return await chromium.launch({ executablePath });
}

export interface OpenedPage extends AsyncDisposable {
  page: Page;
  /** What the console and uncaught errors said. */
  complaints: string[];
}

/** Opens a file, or an address, as a person would. */
export async function openPage(
  browser: Browser,
  target: string,
  { width, colorScheme = "light" }: { width: number; colorScheme?: "light" | "dark" },
): Promise<OpenedPage> {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(path.isAbsolute(target) ? pathToFileURL(target).href : target);
  return { page, complaints, [Symbol.asyncDispose]: () => context.close() };
}

/** Pixels by which the page is wider than its window. */
export async function overflowOf(page: Page): Promise<number> {
  return await page.evaluate<number>("document.documentElement.scrollWidth - document.documentElement.clientWidth");
}
