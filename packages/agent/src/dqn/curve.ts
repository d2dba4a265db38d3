import type { CurvePoint } from "./train.ts";

/** One row for each validation. */
export function curveCsv(curve: readonly CurvePoint[]): string {
  const rows = curve.map(({ steps, rollouts, cost, loss, exploration }) =>
    [steps, rollouts, cost.toFixed(3), loss.toFixed(6), exploration.toFixed(3)].join(","),
  );
  return `${["steps,rollouts,validation_cost,loss,exploration", ...rows].join("\n")}\n`;
}

/** The validation cost over the steps, on a logarithmic axis. */
export function curveSvg(curve: readonly CurvePoint[]): string {
  const [width, height, left, right, top, bottom] = [620, 260, 60, 20, 24, 40];
  const costs = curve.map(({ cost }) => Math.max(1, cost));
  const low = Math.log10(Math.min(...costs)) - 0.1;
  const high = Math.log10(Math.max(...costs)) + 0.1;
  const last = curve.at(-1)?.steps ?? 1;
  const x = (steps: number) => left + ((width - left - right) * steps) / last;
  const y = (cost: number) =>
    top + (height - top - bottom) * (1 - (Math.log10(Math.max(1, cost)) - low) / (high - low));
  const points = curve.map(({ steps, cost }) => `${x(steps).toFixed(1)} ${y(cost).toFixed(1)}`);
  const ticks = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000].filter(
    (cost) => Math.log10(cost) >= low && Math.log10(cost) <= high,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title"><title id="title">Mean cost of a rollout while training</title>`,
    `<style>.ground{fill:#fff}text{font:12px system-ui,sans-serif;fill:#24292f}.axis{stroke:#8c959f;fill:none}.curve{stroke:#0969da;stroke-width:2;fill:none}@media (prefers-color-scheme:dark){.ground{fill:#0d1117}text{fill:#e6edf3}.curve{stroke:#58a6ff}}</style>`,
    `<rect class="ground" width="${width}" height="${height}"/><path class="axis" d="M${left} ${top}V${height - bottom}H${width - right}"/>`,
    ...ticks.map((cost) => `<text x="${left - 8}" y="${(y(cost) + 4).toFixed(1)}" text-anchor="end">${cost}</text>`),
    ...[0, 0.5, 1].map(
      (part) =>
        `<text x="${x(part * last).toFixed(1)}" y="${height - bottom + 16}" text-anchor="middle">${Math.round(part * last)}</text>`,
    ),
    `<text x="${left}" y="15">mean cost of a rollout, in bad requests</text><text x="${(left + width - right) / 2}" y="${height - 8}" text-anchor="middle">steps</text>`,
    `<path class="curve" d="M${points.join("L")}"/></svg>\n`,
  ].join("");
}
