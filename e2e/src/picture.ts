import { scaleLinear } from "d3-scale";
import { area, curveStep, stack } from "d3-shape";
import type { LoadResult } from "@safe-deploy/load";

/** Something that happened, in milliseconds since the epoch. */
export interface Moment {
  at: number;
  what: string;
}

const width = 860;
const height = 340;
const margin = { top: 84, right: 20, bottom: 58, left: 52 };
/** Told apart without colour too: each area carries its name, and failures are hatched. */
const shades = ["#b8cbe0", "#7fa7d1", "#3f6ea5", "#274b73"];
const failureShade = "#c2410c";

/** Requests per second by the version that answered, failures on top, with what happened drawn in; one SVG text. */
export function drawTraffic(traffic: LoadResult, moments: Moment[], title: string): string {
  const seconds = secondsOf(traffic);
  const versions = [...new Set(seconds.flatMap(({ byVersion }) => Object.keys(byVersion)))].toSorted();
  const keys = [...versions, "failed"];
  const rows: Record<string, number>[] = seconds.map(({ t, byVersion, failed }) => ({ t, ...byVersion, failed }));
  const layers = stack<Record<string, number>>()
    .keys(keys)
    .value((row, key) => row[key] ?? 0)(rows);

  const first = seconds[0]?.t ?? 0;
  const x = scaleLinear([0, (seconds.at(-1)?.t ?? 0) - first + 1], [margin.left, width - margin.right]);
  const top = Math.max(1, ...layers.flatMap((layer) => layer.map((point) => point[1])));
  const y = scaleLinear([0, top], [height - margin.bottom, margin.top]).nice();
  const path = area<[number, number] & { data: Record<string, number> }>()
    .curve(curveStep)
    .x((point) => x((point.data["t"] ?? 0) - first + 0.5))
    .y0((point) => y(point[0]))
    .y1((point) => y(point[1]));

  const areas = layers.map((layer, index) => {
    const fill = layer.key === "failed" ? "url(#failed)" : (shades[index % shades.length] ?? "#999");
    return `<path d="${path(layer as never) ?? ""}" fill="${fill}"/>`;
  });
  const names = keys.map((key, index) => {
    const fill = key === "failed" ? "url(#failed)" : (shades[index % shades.length] ?? "#999");
    const left = margin.left + index * 130;
    const sum = rows.reduce((total, row) => total + (row[key] ?? 0), 0);
    return `<rect x="${left}" y="${height - 24}" width="14" height="14" fill="${fill}" stroke="#1f2933" stroke-width="0.5"/><text x="${left + 20}" y="${height - 12}">${escape(key)}: ${sum}</text>`;
  });
  const shown = moments.filter(({ at }) => at / 1000 >= first && at / 1000 <= first + x.domain()[1]!);
  const marks = shown.map(({ at, what }, index) => {
    const left = round(x(at / 1000 - first));
    const level = 44 + (index % 3) * 13;
    const anchor = left > width * 0.7 ? "end" : "start";
    const shift = anchor === "end" ? -4 : 4;
    return `<line x1="${left}" x2="${left}" y1="${level - 9}" y2="${height - margin.bottom}" stroke="#1f2933" stroke-dasharray="3 3"/><text x="${left + shift}" y="${level}" text-anchor="${anchor}">${escape(what)}</text>`;
  });
  const xTicks = x
    .ticks(10)
    .map(
      (tick) => `<text x="${round(x(tick))}" y="${height - margin.bottom + 16}" text-anchor="middle">${tick} s</text>`,
    );
  const yTicks = y
    .ticks(5)
    .map((tick) => `<text x="${margin.left - 8}" y="${round(y(tick)) + 4}" text-anchor="end">${tick}</text>`);

  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escape(title)}" font-family="system-ui, sans-serif" font-size="12" fill="#1f2933">
<defs><pattern id="failed" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="6" height="6" fill="#fff"/><rect width="3" height="6" fill="${failureShade}"/></pattern></defs>
<rect width="${width}" height="${height}" fill="#fff"/>
<text x="${margin.left}" y="20" font-size="15" font-weight="600">${escape(title)}</text>
<text x="${margin.left - 8}" y="${margin.top - 8}" text-anchor="end">req/s</text>
${areas.join("\n")}
<line x1="${margin.left}" x2="${width - margin.right}" y1="${height - margin.bottom}" y2="${height - margin.bottom}" stroke="#1f2933"/>
${[...marks, ...xTicks, ...yTicks, ...names].join("\n")}
</svg>
`;
}

function secondsOf(traffic: LoadResult): { t: number; byVersion: Record<string, number>; failed: number }[] {
  const bySecond = new Map<number, { t: number; byVersion: Record<string, number>; failed: number }>();
  const first = traffic.series[0]?.t ?? 0;
  for (let t = first; t <= (traffic.series.at(-1)?.t ?? first); t++) bySecond.set(t, { t, byVersion: {}, failed: 0 });
  for (const { t, version, status, count } of traffic.series) {
    const second = bySecond.get(t);
    if (second === undefined) continue;
    if (status === 0 || status >= 400) second.failed += count;
    else second.byVersion[version] = (second.byVersion[version] ?? 0) + count;
  }
  return [...bySecond.values()];
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
