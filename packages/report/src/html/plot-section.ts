import { formatTime, formatValue, noData } from "../format.ts";
import { type Plot, plotsOf } from "../plots.ts";
import type { Report } from "../report.ts";
import { weightAt } from "../weight.ts";
import { type Html, html } from "./escape.ts";

/** The plots' places, which the page's script fills, each with its numbers in words and as a table; undefined: none. */
export function renderPlots(report: Report): Html | undefined {
  const plots = plotsOf(report);
  if (report.traffic === undefined) return undefined;
  const queries = report.traffic.series.filter(({ query }) => query !== undefined);
  if (plots.length === 0) return html`<p>${report.traffic.source} had ${noData} about this time.</p>`;
  const hasWeights = (report.weights ?? []).length > 0;
  return html`<p class="muted">
      Times in UTC. A gap in a line: no
      data.${hasWeights && " The grey band above each plot: the new version's weight."} Source:
      ${report.traffic.source}.
    </p>
    ${plots.map(renderPlot)}
    ${
      queries.length > 0 &&
      html`<details id="queries">
        <summary>Queries</summary>
        ${queries.map(
          ({ version, metric, query }) =>
            html`<h3>${metric} <span class="muted">${version}</span></h3>
              <pre class="query"><code>${query}</code></pre>`,
        )}
      </details>`
    }`;
}

function renderPlot(plot: Plot): Html {
  const { id, title } = plot;
  return html`<figure class="plot">
    <figcaption>
      <h3 id="plot-${id}-title">${title}</h3>
    </figcaption>
    <div class="chart" id="plot-${id}" data-plot="${id}">
      <noscript>The plot needs JavaScript; the table below holds the same numbers.</noscript>
    </div>
    <details id="plot-${id}-table">
      <summary>${title} as a table</summary>
      <div class="scroll" tabindex="0" role="region" aria-labelledby="plot-${id}-title">${plotTable(plot)}</div>
    </details>
  </figure>`;
}

function plotTable({ title, times, views, unit, weights }: Plot): Html {
  const columns = views.flatMap(({ name, lines }) =>
    lines.map(({ label, values }) => ({ label: name === "" ? label : `${label}, ${name}`, values })),
  );
  return html`<table class="points">
    <caption class="hidden">
      ${title}
    </caption>
    <thead>
      <tr>
        <th scope="col">Time</th>
        ${columns.map(({ label }) => html`<th scope="col">${label}</th>`)}
        ${weights.length > 0 && html`<th scope="col">Weight</th>`}
      </tr>
    </thead>
    <tbody>
      ${times.map((at, index) => {
        const weight = weightAt(weights, at);
        return html`<tr>
          <th scope="row">${formatTime(at)}</th>
          ${columns.map(({ values }) => html`<td>${formatValue(values[index], unit)}</td>`)}
          ${weights.length > 0 && html`<td>${weight === undefined ? "" : `${weight} %`}</td>`}
        </tr>`;
      })}
    </tbody>
  </table>`;
}
