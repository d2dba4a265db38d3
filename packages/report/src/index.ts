export { formatLimit, formatValue } from "./format.ts";
export { toHtml } from "./html/page.ts";
export { toMarkdown } from "./markdown.ts";
export type * from "./report.ts";
export { serveReport, type ReportServer, type ServeOptions } from "./serve.ts";
