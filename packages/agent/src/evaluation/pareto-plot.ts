import type { Evaluation } from "./evaluate.ts";

const panel = { width: 330, height: 210, left: 56, right: 24, top: 30, bottom: 44 };

/**
 * Harm against time: mean excess bad requests by mean steps to the decision, one panel for each environment. Nothing lies
 * to the left of and below a point on the dashed line. A drawing on its own, which needs no network.
 */
export function paretoPlot(overall: Evaluation["overall"]): string {
  const environments = [...new Set(overall.map(({ environment }) => environment))];
  const policies = [...new Set(overall.map(({ policy }) => policy))];
  const cell = { width: panel.left + panel.width + panel.right, height: panel.top + panel.height + panel.bottom };
  const keyHeight = 24 * Math.ceil(policies.length / 3);
  const width = cell.width * environments.length;
  const height = cell.height + keyHeight;
  const panels = environments.map(
    (environment, index) =>
      `<g transform="translate(${index * cell.width} 0)">${drawPanel(
        environment,
        overall.filter((row) => row.environment === environment),
        policies,
      )}</g>`,
  );
  const key = policies.map((policy, index) => {
    const x = panel.left + (index % 3) * 320;
    const y = cell.height + 24 * Math.floor(index / 3) + 8;
    return `<circle class="p${index}" cx="${x}" cy="${y}" r="5"/><text x="${x + 12}" y="${y + 4}">${escape(policy)}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title"><title id="title">Harm against time of each policy</title><style>${style}</style><rect class="ground" width="${width}" height="${height}"/>${panels.join("")}${key.join("")}</svg>\n`;
}

const colours = ["#cf222e", "#9a6700", "#1a7f37", "#0969da", "#8250df", "#bf3989"];
const style = [
  ".ground{fill:#fff}text{font:12px system-ui,sans-serif;fill:#24292f}.axis{stroke:#8c959f;fill:none}.front{stroke:#57606a;fill:none;stroke-dasharray:5 4}",
  ...colours.map((colour, index) => `.p${index}{fill:${colour}}`),
  "@media (prefers-color-scheme:dark){.ground{fill:#0d1117}text{fill:#e6edf3}}",
].join("");

function drawPanel(environment: string, rows: Evaluation["overall"], policies: readonly string[]): string {
  const mostSteps = Math.max(...rows.map(({ steps }) => steps.mean)) * 1.08;
  // Harm spans orders of magnitude: its axis is logarithmic from one bad request on.
  const mostHarm = Math.max(10, ...rows.map(({ excess }) => excess.mean)) * 1.5;
  const x = (steps: number) => panel.left + (panel.width * steps) / mostSteps;
  const y = (harm: number) =>
    panel.top + panel.height * (1 - Math.log10(1 + Math.max(0, harm)) / Math.log10(1 + mostHarm));
  const ticks = [0, 1, 10, 100, 1000, 10_000].filter((value) => value <= mostHarm);
  const front = paretoFront(rows.map(({ steps, excess }) => ({ steps: steps.mean, harm: excess.mean })));
  return [
    `<text x="${panel.left}" y="18" font-weight="600">${escape(environment)}</text>`,
    `<path class="axis" d="M${panel.left} ${panel.top}v${panel.height}h${panel.width}"/>`,
    ...ticks.map((value) => `<text x="${panel.left - 6}" y="${y(value) + 4}" text-anchor="end">${value}</text>`),
    ...[0, 0.5, 1].map((part) => {
      const steps = (part * mostSteps) / 1.08;
      return `<text x="${x(steps)}" y="${panel.top + panel.height + 16}" text-anchor="middle">${steps.toFixed(0)}</text>`;
    }),
    `<text x="${panel.left + panel.width / 2}" y="${panel.top + panel.height + 34}" text-anchor="middle">steps to the decision (excess bad requests upwards)</text>`,
    `<path class="front" d="M${front.map(({ steps, harm }) => `${x(steps).toFixed(1)} ${y(harm).toFixed(1)}`).join("L")}"/>`,
    ...rows.map(
      ({ policy, steps, excess }) =>
        `<circle class="p${policies.indexOf(policy)}" cx="${x(steps.mean).toFixed(1)}" cy="${y(excess.mean).toFixed(1)}" r="5"><title>${escape(policy)}: ${excess.mean.toFixed(1)} bad, ${steps.mean.toFixed(1)} steps</title></circle>`,
    ),
  ].join("");
}

/** The points that no other one beats in both, by rising steps. */
export function paretoFront<T extends { steps: number; harm: number }>(points: readonly T[]): T[] {
  return points
    .filter(
      (point) =>
        !points.some(
          (other) =>
            other.steps <= point.steps &&
            other.harm <= point.harm &&
            (other.steps < point.steps || other.harm < point.harm),
        ),
    )
    .toSorted((a, b) => a.steps - b.steps);
}

const escape = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
