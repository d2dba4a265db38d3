import { createHash } from "node:crypto";
import { script, style } from "#page-assets";
import { plotsOf } from "../plots.ts";
import type { Report } from "../report.ts";
import { results } from "../words.ts";
import { Html, html, jsonForScript } from "./escape.ts";
import { renderMain } from "./sections.ts";

/** What of the page changes while an operation goes on. */
export interface Frame {
  title: string;
  /** Said aloud when it changes. */
  status: string;
  main: string;
  plots: ReturnType<typeof plotsOf>;
}

export function frameOf(report: Report): Frame {
  const { word } = results[report.verdict.result];
  return {
    title: `${word}: ${report.release} in ${report.namespace}`,
    status: `${word}: ${report.verdict.summary}`,
    main: renderMain(report).text,
    plots: plotsOf(report),
  };
}

/** The page as one file that needs no network and is refused any. */
export function toHtml(report: Report): string {
  return renderPage(report, { live: false });
}

/** @param live whether the page follows `/events` of the server that it came from. */
export function renderPage(report: Report, { live }: { live: boolean }): string {
  const { title, main, plots } = frameOf(report);
  const page = html`<!doctype html>
    <html lang="en" ${live && html` data-live`}>
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${contentSecurityPolicy({ live })}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="referrer" content="no-referrer" />
        <title>${title}</title>
        <link rel="icon" href="data:," />
        ${styleElement}
      </head>
      <body>
        <a class="skip" href="#main">Skip to the report</a>
        ${live && html`<p id="connection" role="status">Live</p>`}
        <main id="main" tabindex="-1">${new Html(main)}</main>
        ${live && html`<p id="status" class="hidden" role="status"></p>`}
        <script type="application/json" id="plots">
          ${jsonForScript(plots)}
        </script>
        ${scriptElement}
      </body>
    </html>`;
  return page.text;
}

/** Whole, for their hashes are over every character between the tags. */
const styleElement = new Html(`<style>${style}</style>`);
const scriptElement = new Html(`<script>${script}</script>`);

/** Allows the page's own script and style by their hashes, and nothing else; a live page may ask its own server. */
export function contentSecurityPolicy({ live }: { live: boolean }): string {
  return [
    "default-src 'none'",
    `script-src '${hashOf(script)}'`,
    `style-src '${hashOf(style)}'`,
    "img-src data:",
    `connect-src ${live ? "'self'" : "'none'"}`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
}

function hashOf(text: string): string {
  return `sha256-${createHash("sha256").update(text).digest("base64")}`;
}
