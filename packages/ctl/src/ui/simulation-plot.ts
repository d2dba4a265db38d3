import type { Outcome, Simulation } from "@safe-deploy/verdict";

/** The rollouts of one scenario and one values file. */
export interface PlottedSide {
  /** Empty where there is only one. */
  side: string;
  name: string;
  outcomes: readonly Outcome[];
  simulation: Simulation;
}

const panel = { width: 380, height: 150, left: 46, right: 18, top: 34, bottom: 34 };
const ends = ["promoted", "aborted", "paused"] as const;

/**
 * Each scenario as two plots: the share of rollouts that have ended, by time; and the share with at most so many bad
 * requests. The second values file is dashed. A drawing on its own, or in a page on its own; either needs no network.
 */
export function plotSimulations(
  sides: readonly PlottedSide[],
  { head, asPage }: { head: readonly string[]; asPage: boolean },
): string {
  const names = [...new Set(sides.map(({ simulation }) => simulation.scenario))];
  const rowHeight = panel.top + panel.height + panel.bottom;
  const width = 2 * (panel.left + panel.width + panel.right);
  const keyHeight = 26;
  const height = keyHeight + names.length * rowHeight;
  const rows = names.map((name, index) => {
    const own = sides.filter(({ simulation }) => simulation.scenario === name);
    return `<g transform="translate(0 ${keyHeight + index * rowHeight})">${endsPanel(name, own)}<g transform="translate(${width / 2} 0)">${badPanel(own)}</g></g>`;
  });
  const sideNames = [...new Map(sides.map(({ side, name }) => [side, name]))].filter(([side]) => side !== "");
  const key = [
    ...ends.map((end) => ({ classes: end, text: end })),
    { classes: "bad", text: "bad requests" },
    ...sideNames.map(([side, name]) => ({ classes: side === "B" ? "key dashed" : "key", text: `${side} = ${name}` })),
  ];
  let place = panel.left;
  const keyed = key.map(({ classes, text }) => {
    const item = `<path class="${classes}" d="M${place} 13h22"/><text x="${place + 27}" y="17">${escape(text)}</text>`;
    place += 44 + 7 * text.length;
    return item;
  });
  const title = head.join("\n");
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title"><title id="title">${escape(title)}</title><style>${style}</style><rect class="ground" width="${width}" height="${height}"/>${keyed.join("")}${rows.join("")}</svg>\n`;
  if (!asPage) return svg;
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark"><meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'"><title>Simulated rollouts</title><style>body{font:14px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem}pre{overflow-x:auto}svg{max-width:100%;height:auto}</style></head><body><h1>Simulated rollouts</h1><pre>${escape(title)}</pre>${svg}</body></html>\n`;
}

const style = [
  ".ground{fill:#fff}text{font:12px system-ui,sans-serif;fill:#24292f}.name{font-weight:600}.axis{stroke:#8c959f;fill:none}",
  ".promoted{stroke:#1a7f37}.aborted{stroke:#cf222e}.paused{stroke:#9a6700}.bad{stroke:#0969da}.key{stroke:#57606a}",
  ".dashed{stroke-dasharray:6 4}.promoted,.aborted,.paused,.bad,.key{fill:none;stroke-width:2}",
  "@media (prefers-color-scheme:dark){.ground{fill:#0d1117}text{fill:#e6edf3}.promoted{stroke:#3fb950}.aborted{stroke:#f85149}.paused{stroke:#d29922}.bad{stroke:#58a6ff}}",
].join("");

function endsPanel(name: string, sides: readonly PlottedSide[]): string {
  const longest = Math.max(...sides.flatMap(({ outcomes }) => outcomes.map(({ seconds }) => seconds)));
  const most = niceAbove(longest);
  const lines = sides.flatMap(({ side, outcomes }) =>
    ends.flatMap((end) => {
      const own = outcomes.filter((outcome) => outcome.end === end).map(({ seconds }) => seconds);
      return own.length === 0 ? [] : [steps(own, outcomes.length, most, `${end}${side === "B" ? " dashed" : ""}`)];
    }),
  );
  return frame(name, "seconds", most) + lines.join("");
}

function badPanel(sides: readonly PlottedSide[]): string {
  const most = niceAbove(Math.max(1, ...sides.flatMap(({ outcomes }) => outcomes.map(({ bad }) => bad))));
  const lines = sides.map(({ side, outcomes }) =>
    steps(
      outcomes.map(({ bad }) => bad),
      outcomes.length,
      most,
      `bad${side === "B" ? " dashed" : ""}`,
    ),
  );
  return frame("", "bad requests until the end, at most", most) + lines.join("");
}

/** The share of all that are at most x, as a line; at most as many points as can be told apart. */
function steps(values: readonly number[], all: number, most: number, classes: string): string {
  const sorted = values.toSorted((a, b) => a - b);
  const points: string[] = [`M${panel.left} ${panel.top + panel.height}`];
  let counted = 0;
  for (let pixel = 0; pixel <= panel.width; pixel++) {
    const until = (pixel / panel.width) * most;
    const before = counted;
    while (counted < sorted.length && sorted[counted]! <= until) counted++;
    if (counted === before && pixel < panel.width) continue;
    const y = (share: number) => (panel.top + panel.height * (1 - share / all)).toFixed(1);
    points.push(`L${panel.left + pixel} ${y(before)}L${panel.left + pixel} ${y(counted)}`);
  }
  return `<path class="${classes}" d="${points.join("")}"/>`;
}

function frame(name: string, label: string, most: number): string {
  const { left, top, width, height } = panel;
  const bottom = top + height;
  const ticks = [0, 0.5, 1]
    .map((share) => `<text x="${left + share * width}" y="${bottom + 16}" text-anchor="middle">${share * most}</text>`)
    .join("");
  const shares = [0, 0.5, 1]
    .map(
      (share) => `<text x="${left - 6}" y="${bottom - share * height + 4}" text-anchor="end">${100 * share} %</text>`,
    )
    .join("");
  return `<text class="name" x="${left}" y="${top - 10}">${escape(name)}</text><text x="${left + width}" y="${top - 10}" text-anchor="end">${escape(label)}</text><path class="axis" d="M${left} ${top}V${bottom}H${left + width}"/>${ticks}${shares}`;
}

/** The next of 1, 2, 5, 10, 20, ... that holds a value, so that half of it is a short number too. */
function niceAbove(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 6, 8, 10].map((each) => each * power).find((each) => each >= value) ?? 10 * power;
}

const escape = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
