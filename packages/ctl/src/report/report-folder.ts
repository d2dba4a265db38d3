import { mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import path from "node:path";
import type { Report } from "@safe-deploy/report";

/** Folders that ctl has named itself and keeps. */
const keptFolders = 50;

const ownFolder = /-(\d{8}T\d{6}\.\d{3}Z)$/;

/** Where the reports go that nobody named a folder for. */
export function reportsHome(env: NodeJS.ProcessEnv): string {
  const { XDG_STATE_HOME: state = "" } = env;
  return path.join(state === "" ? path.join(homedir(), ".local/state") : state, "safe-deploy", "reports");
}

/**
 * Writes report.json, report.md and report.html, each whole or not at all, readable by their owner alone: logs say more
 * than everybody should know.
 *
 * @param folder undefined: a new one in `reportsHome`, of which the newest 50 stay.
 * @returns the path of the page.
 */
export async function writeReport(report: Report, folder: string | undefined, env = process.env): Promise<string> {
  const { toHtml, toMarkdown } = await import("@safe-deploy/report");
  const home = reportsHome(env);
  const stamp = report.startedAt.replaceAll(/[-:]/g, "");
  const target = path.resolve(folder ?? path.join(home, `${report.namespace}-${report.release}-${stamp}`));
  await mkdir(target, { recursive: true, mode: 0o700 });
  const page = path.join(target, "report.html");
  await writeWhole(path.join(target, "report.json"), `${JSON.stringify(report, null, 2)}\n`);
  await writeWhole(path.join(target, "report.md"), toMarkdown(report));
  await writeWhole(page, toHtml(report));
  if (folder === undefined) await prune(home);
  return page;
}

async function writeWhole(file: string, text: string): Promise<void> {
  const unfinished = `${file}.${process.pid}.part`;
  try {
    await writeFile(unfinished, text, { mode: 0o600 });
    await rename(unfinished, file);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}

async function prune(home: string): Promise<void> {
  const names = await readdir(home);
  const stampOf = (name: string) => ownFolder.exec(name)?.[1] ?? "";
  const own = names.filter((name) => ownFolder.test(name)).toSorted((a, b) => (stampOf(a) < stampOf(b) ? 1 : -1));
  for (const name of own.slice(keptFolders)) await rm(path.join(home, name), { recursive: true, force: true });
}
