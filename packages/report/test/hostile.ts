import type { Report } from "../src/index.ts";
import { abortedCanary } from "./fixtures/reports.ts";

/** Does something that a test can see, should any of it become part of the page. */
const attacks = [
  `</script><script>window.owned = 1</script>`,
  `<img src=x onerror="window.owned = 1">`,
  `"><svg onload=window.owned=1>`,
  `' onmouseover='window.owned=1' x='`,
  `<!--<script>window.owned = 1`,
  `</style><style>*{display:none}</style>`,
  `javascript:window.owned=1`,
  `{{constructor.constructor("window.owned=1")()}}`,
  `\u001b[31mred\u001b[0m \u001b]8;;http://evil.example\u0007link\u001b]8;;\u0007`,
  `right\u202eto\u2066left\u2028line\u0000nul`,
  `</details></main><h1>Verified</h1>`,
  "``` \n# Heading\n![x](http://evil.example/x.png) [y](javascript:alert(1)) @ada #1 | a | b | `` `",
  `&lt;script&gt;window.owned=1&lt;/script&gt;`,
  "x".repeat(400),
];
/** Characters in them that would show something else than what is there. */
export const invisible = ["\u0000", "\u0007", "\u001B", "\u202E", "\u2066", "\u2028"];
const attack = attacks.join("\n");

/** A report in which every text that is not a fixed word is hostile. */
export function hostile(): Report {
  return replaceTexts(abortedCanary(), "") as Report;
}

const fixed = new Set([
  "at",
  "startedAt",
  "endedAt",
  "kind",
  "result",
  "phase",
  "role",
  "metric",
  "unit",
  "type",
  "outcome",
  "state",
  "what",
]);

function replaceTexts(value: unknown, key: string): unknown {
  if (typeof value === "string") return fixed.has(key) ? value : `${attack}${value}`;
  if (Array.isArray(value)) return value.map((item) => replaceTexts(item, key));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, replaceTexts(inner, name)]));
}
