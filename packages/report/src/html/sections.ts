import { formatDate, formatDuration, formatLimit, formatOffset, formatTime, formatValue } from "../format.ts";
import type {
  AnalysisMetric,
  Change,
  LogExcerpt,
  Measurement,
  PodEvent,
  Report,
  Verification,
  Version,
  VersionRequests,
} from "../report.ts";
import {
  changeName,
  changeValue,
  checkOutcomes,
  durationOf,
  entryKinds,
  kinds,
  phases,
  results,
  roleWord,
  stepStates,
  strategyText,
  type Word,
} from "../words.ts";
import { type Html, html } from "./escape.ts";
import { renderPlots } from "./plot-section.ts";

interface Section {
  id: string;
  title: string;
  body: Html;
}

/** Everything between the skip link and the end of the page: the verdict, why, what happened, the evidence, what next. */
export function renderMain(report: Report): Html {
  const sections = [
    why(report),
    changes(report),
    timeline(report),
    traffic(report),
    evidence(report),
    restoredAndVerified(report),
    next(report),
  ].filter((section) => section !== undefined);
  return html`${header(report)}
    <nav aria-label="Sections">${sections.map(({ id, title }) => html`<a href="#${id}">${title}</a>`)}</nav>
    ${sections.map(
      ({ id, title, body }) =>
        html`<section id="${id}" aria-labelledby="${id}-title">
          <h2 id="${id}-title">${title}</h2>
          ${body}
        </section>`,
    )}`;
}

function header(report: Report): Html {
  const { verdict, release, namespace, cluster, startedAt, strategy, startedBy } = report;
  const { sign, word, tone } = results[verdict.result];
  const took = durationOf(report);
  const [first] = report.next ?? [];
  const facts = [
    strategy === undefined ? undefined : strategyText(strategy),
    `${formatDate(startedAt)}, ${formatTime(startedAt)} UTC`,
    startedBy === undefined ? undefined : `by ${startedBy}`,
  ].filter((fact) => fact !== undefined);
  return html`<header class="verdict ${tone}">
    <p class="about">
      ${kinds[report.kind]} of <strong>${release}</strong> in <strong>${namespace}</strong>${
        cluster !== undefined && html` on <strong>${cluster}</strong>`
      }${facts.map((fact) => html`<span class="fact">${fact}</span>`)}
    </p>
    <h1>
      <span class="word"><span aria-hidden="true">${sign}</span> ${word}</span> ${verdict.summary}
    </h1>
    ${verdict.because !== undefined && html`<p class="because">${verdict.because}</p>`} ${tiles(report, took)}
    ${
      first !== undefined &&
      (tone === "bad" || tone === "wait") &&
      html`<p class="do">${first.why}: <code>${first.command}</code></p>`
    }
  </header>`;
}

function tiles({ figures = {}, verdict, weights = [] }: Report, took: number | undefined): Html {
  const { detectionSeconds, restoreSeconds, requests, failedRequests } = figures;
  const tiles: [name: string, value: string, note: string | undefined][] = [];
  if (detectionSeconds !== undefined) tiles.push(["Found after", formatDuration(detectionSeconds), undefined]);
  if (restoreSeconds !== undefined) tiles.push(["Restored after", formatDuration(restoreSeconds), undefined]);
  if (failedRequests !== undefined) {
    const of = requests === undefined ? undefined : `of ${formatValue(requests)}`;
    const share = requests ? ` (${formatValue(failedRequests / requests, "ratio")})` : "";
    tiles.push(["Failed requests", formatValue(failedRequests), of && of + share]);
  } else if (requests !== undefined) tiles.push(["Requests", formatValue(requests), undefined]);
  const highest = Math.max(0, ...weights.map(({ weight }) => weight));
  if (highest > 0 && highest < 100) tiles.push(["Highest weight", `${highest} %`, "of the traffic"]);
  if (took !== undefined) tiles.push(["Took", formatDuration(took), undefined]);
  if (verdict.exit !== undefined) tiles.push(["Exit code", String(verdict.exit), verdict.code]);
  return html`<dl class="tiles">
    ${tiles.map(
      ([name, value, note]) =>
        html`<div>
          <dt>${name}</dt>
          <dd>${value}${note !== undefined && html` <small>${note}</small>`}</dd>
        </div>`,
    )}
  </dl>`;
}

function why(report: Report): Section | undefined {
  const { fault, rejectedBy, analysis = [] } = report;
  const deciding = analysis.filter((metric) => metric.deciding === true);
  const others = analysis.filter((metric) => metric.deciding !== true);
  if (fault === undefined && analysis.length === 0) return undefined;
  const hasReason = fault !== undefined || deciding.length > 0;
  return {
    id: "why",
    title: hasReason ? "Why" : "What was measured",
    body: html`${
      fault !== undefined &&
      html`<div class="card bad">
        <h3>
          <span class="sign" aria-hidden="true">✗</span> ${fault.kind} <span class="muted">${fault.subject}</span>
        </h3>
        <p class="quote">${fault.message}</p>
      </div>`
    }
    ${
      rejectedBy !== undefined &&
      html`<h3>Declared checks</h3>
        ${checkTable(rejectedBy)}`
    }
    ${deciding.map(decidingMetric)}
    ${
      others.length > 0 &&
      html`${hasReason && html`<h3>What else was measured</h3>`}
        <table class="wide">
          <thead>
            <tr>
              <th scope="col">Metric</th>
              <th scope="col">Outcome</th>
              <th scope="col">Last value</th>
              <th scope="col">Asked for</th>
            </tr>
          </thead>
          <tbody>
            ${others.map(metricRow)}
          </tbody>
        </table>`
    }`,
  };
}

function decidingMetric(metric: AnalysisMetric, index: number): Html {
  const { name, phase, threshold, unit, query, provider, message, condition, measurements = [] } = metric;
  const { tone } = phases[phase];
  const shown = measurements.findLast((one) => one.phase === phase) ?? measurements.at(-1);
  return html`<div class="card ${tone}">
    <h3><code>${name}</code> ${mark(phases[phase])} <span class="muted">the metric that decided</span></h3>
    <p class="reading">
      ${shown !== undefined && html`<strong>${formatValue(shown.value, unit)}</strong>`}
      ${threshold !== undefined && html`<span>asked for: <b>${formatLimit(threshold, unit)}</b></span>`}
    </p>
    ${condition !== undefined && html`<p>${condition}</p>`}
    ${message !== undefined && html`<p class="quote">${message}</p>`}
    ${
      measurements.length > 0 &&
      html`<h4>Measurements</h4>
        ${measurementList(measurements, unit)}`
    }
    ${
      query !== undefined &&
      html`<details id="deciding-query-${index}">
        <summary>Query${provider !== undefined && html` <span class="muted">${provider}</span>`}</summary>
        <pre class="query"><code>${query}</code></pre>
      </details>`
    }
  </div>`;
}

function measurementList(measurements: Measurement[], unit: AnalysisMetric["unit"]): Html {
  return html`<ol class="measurements">
    ${measurements.map(
      ({ at, value, phase, message }) =>
        html`<li class="${phases[phase].tone}">
          <time datetime="${at}">${formatTime(at)}</time> ${mark(phases[phase])} <b>${formatValue(value, unit)}</b>${
            message !== undefined && html` <span class="muted">${message}</span>`
          }
        </li>`,
    )}
  </ol>`;
}

function metricRow(metric: AnalysisMetric, index: number): Html {
  const { name, phase, unit, threshold, condition, query, provider, message, measurements = [] } = metric;
  const last = measurements.at(-1);
  return html`<tr>
    <th scope="row">
      <code>${name}</code>
      ${
        (query !== undefined || measurements.length > 1) &&
        html`<details id="metric-${index}">
          <summary>${measurements.length > 1 ? `${measurements.length} measurements` : "query"}</summary>
          ${measurements.length > 1 && measurementList(measurements, unit)}
          ${query !== undefined && html`<pre class="query"><code>${query}</code></pre>`}
          ${provider !== undefined && html`<p class="muted">${provider}</p>`}
        </details>`
      }
    </th>
    <td>${mark(phases[phase])}${message !== undefined && html`<br /><span class="muted">${message}</span>`}</td>
    <td class="number">${last === undefined ? "" : formatValue(last.value, unit)}</td>
    <td>
      ${threshold === undefined ? "" : formatLimit(threshold, unit)}${
        condition !== undefined && html` <span class="muted">${condition}</span>`
      }
    </td>
  </tr>`;
}

function changes({ changes, versions = [], strategy }: Report): Section | undefined {
  if (changes === undefined && versions.length === 0) return undefined;
  return {
    id: "changes",
    title: "What changed",
    body: html`${
      changes !== undefined &&
      (changes.length === 0
        ? html`<p>Nothing: what is live is what was asked for.</p>`
        : html`<table class="changes">
            <thead>
              <tr>
                <th scope="col">What</th>
                <th scope="col">From</th>
                <th scope="col">To</th>
              </tr>
            </thead>
            <tbody>
              ${changes.map(
                (change) =>
                  html`<tr>
                    <th scope="row">${changeName(change)}</th>
                    <td>${side(change, change.from)}</td>
                    <td>${side(change, change.to)}</td>
                  </tr>`,
              )}
            </tbody>
          </table>`)
    }
    ${
      versions.length > 0 &&
      html`<details id="versions">
        <summary>Both versions in full</summary>
        <div class="columns">
          ${versions.map(
            (version) =>
              html`<div>
                <h3>${version.version} <span class="muted">${roleWord(version.role, strategy)}</span></h3>
                <dl class="pairs">
                  ${versionFacts(version).map(
                    ([name, value]) =>
                      html`<div>
                        <dt>${name}</dt>
                        <dd><code>${value}</code></dd>
                      </div>`,
                  )}
                </dl>
              </div>`,
          )}
        </div>
      </details>`
    }`,
  };
}

/** One side of a change; a digest by its first figures, for the whole of it stands below. */
function side({ what }: Change, value: string | null | undefined): Html {
  if (value === undefined || value === null || value === "")
    return html`<span class="muted">${changeValue(value)}</span>`;
  const text = what === "digest" ? value.replace(/^(\w+:[0-9a-f]{12})[0-9a-f]+$/, "$1…") : value;
  return html`<code>${text}</code>`;
}

function versionFacts(version: Version): [name: string, value: string][] {
  const { image, digest, configMap, flags = {}, schema, chart, helmRevision } = version;
  const facts: [string, string | undefined][] = [
    ["Image", image],
    ["Digest", digest],
    ["Config", configMap],
    ...Object.entries(flags).map(([name, value]): [string, string] => [`Flag ${name}`, value]),
    ["Schema", schema],
    ["Chart", chart],
    ["Helm revision", helmRevision?.toString()],
  ];
  return facts.filter((fact): fact is [string, string] => fact[1] !== undefined);
}

function timeline({ timeline, strategy, startedAt }: Report): Section {
  const steps = strategy?.steps ?? [];
  return {
    id: "timeline",
    title: "Timeline",
    body: html`${
        steps.length > 0 &&
        html`<h3>Steps</h3>
          <ol class="steps">
            ${steps.map(
              ({ text, state, startedAt: from }) =>
                html`<li class="${state}">
                  <span aria-hidden="true">${stepStates[state].sign}</span> ${text}
                  <span class="state"
                    >${stepStates[state].word}${from !== undefined && html` ${formatOffset(from, startedAt)}`}</span
                  >
                </li>`,
            )}
          </ol>
          <h3>Events <span class="muted">times in UTC</span></h3>`
      }
      <ol class="timeline">
        ${timeline.map(
          ({ at, kind, text, outcome }) =>
            html`<li class="${outcome ?? "plain"}">
              <time datetime="${at}">${formatTime(at)}</time>
              <span class="offset">${formatOffset(at, startedAt)}</span>
              <span class="kind">${entryKinds[kind]}</span>
              <span class="text"
                >${
                  outcome !== undefined &&
                  html`<span class="sign"
                    ><span aria-hidden="true">${outcome === "good" ? "✓" : "✗"}</span
                    ><span class="hidden">${outcome}: </span></span
                  > `
                }${text}</span
              >
            </li>`,
        )}
      </ol>`,
  };
}

function traffic(report: Report): Section | undefined {
  const { requestsByVersion, uncounted } = report.figures ?? {};
  const plots = renderPlots(report);
  if (plots === undefined && requestsByVersion === undefined && uncounted === undefined) return undefined;
  return {
    id: "traffic",
    title: "Traffic by version",
    body: html`${requestsByVersion !== undefined && requestTable(requestsByVersion, report.strategy)}
    ${uncounted !== undefined && html`<p class="muted">The requests were not counted. ${uncounted}</p>`} ${plots}`,
  };
}

function requestTable(counts: VersionRequests[], strategy: Report["strategy"]): Html {
  if (counts.length === 0) return html`<p class="muted">No version answered a request.</p>`;
  return html`<table class="wide">
    <thead>
      <tr>
        <th scope="col">Version</th>
        <th scope="col">Requests</th>
        <th scope="col">Failed</th>
      </tr>
    </thead>
    <tbody>
      ${counts.map(
        ({ version, role, requests, failedRequests }) =>
          html`<tr>
            <th scope="row">${version} <span class="muted">${roleWord(role, strategy)}</span></th>
            <td>${formatValue(requests)}</td>
            <td>
              ${formatValue(failedRequests)}${
                requests > 0 && html` <span class="muted">${formatValue(failedRequests / requests, "ratio")}</span>`
              }
            </td>
          </tr>`,
      )}
    </tbody>
  </table>`;
}

function evidence({ podEvents, logs }: Report): Section | undefined {
  if (podEvents === undefined && logs === undefined) return undefined;
  return {
    id: "evidence",
    title: "Evidence",
    body: html`${podEvents !== undefined && eventLists(podEvents)} ${logs !== undefined && logExcerpts(logs)}`,
  };
}

function eventLists(events: PodEvent[]): Html {
  const warnings = events.filter(({ type }) => type === "Warning");
  const normal = events.filter(({ type }) => type === "Normal");
  return html`<h3>Pod events <span class="muted">times in UTC</span></h3>
    ${
      warnings.length > 0
        ? eventList(warnings)
        : html`<p class="muted">${events.length === 0 ? "No events." : "No warnings."}</p>`
    }
    ${
      normal.length > 0 &&
      html`<details id="normal-events">
        <summary>${normal.length} normal ${normal.length === 1 ? "event" : "events"}</summary>
        ${eventList(normal)}
      </details>`
    }`;
}

function eventList(events: PodEvent[]): Html {
  return html`<ol class="timeline events">
    ${events.map(
      ({ at, subject, type, reason, message, count = 1 }) =>
        html`<li class="${type === "Warning" ? "bad" : "plain"}">
          <time datetime="${at}">${formatTime(at)}</time>
          <span class="reason"
            >${type === "Warning" && html`<span class="sign">!</span> `}${reason}${
              count > 1 && html` <span class="muted">${count} times</span>`
            }</span
          >
          <span class="text">${message} <span class="muted">${subject}</span></span>
        </li>`,
    )}
  </ol>`;
}

/** So many lines of a log are shown at once; of longer ones those that matter with two lines around, the whole on demand. */
const longLog = 24;
const around = 2;

function logExcerpts(logs: LogExcerpt[]): Html {
  return html`<h3>Logs</h3>
    ${logs.length === 0 && html`<p class="muted">No log lines.</p>`} ${logs.map(logExcerpt)}`;
}

function logExcerpt(log: LogExcerpt, index: number): Html {
  const { pod, container, version, previous = false, lines, matters = [], truncated = false } = log;
  const all = lines.map((_, at) => at);
  const near = all.filter((at) => matters.some((line) => Math.abs(line - at) <= around));
  const isLong = lines.length > longLog;
  const shown = !isLong ? all : near.length > 0 ? near : all.slice(-longLog);
  return html`<div class="log">
    <h4>
      ${pod}${container !== undefined && html` / ${container}`}
      <span class="muted"
        >${[version, previous && "before the restart", truncated && "excerpt"].filter((text) => text).join(", ")}</span
      >
    </h4>
    ${lines.length === 0 ? html`<p class="muted">The log is empty.</p>` : logLines(log, shown)}
    ${
      isLong &&
      html`<details id="log-${index}">
        <summary>All ${lines.length} lines</summary>
        ${logLines(log, all)}
      </details>`
    }
  </div>`;
}

/** The lines with their numbers; where some are left out stands a gap. */
function logLines({ lines, matters = [] }: LogExcerpt, shown: number[]): Html {
  return html`<ol class="lines">
    ${shown.map((at, index) => {
      const text = html`<code>${lines[at] ?? ""}</code>`;
      const skips = index > 0 && shown[index - 1] !== at - 1;
      return html`<li value="${at + 1}" class="${skips ? "skips" : "follows"}">
        ${matters.includes(at) ? html`<mark>${text}</mark>` : text}
      </li>`;
    })}
  </ol>`;
}

function restoredAndVerified({ restored, verification }: Report): Section | undefined {
  if (restored === undefined && verification === undefined) return undefined;
  return {
    id: "verified",
    title: restored === undefined ? "How it was verified" : "What was restored, and how it was verified",
    body: html`${
      restored !== undefined &&
      html`<p><strong>${restored.version}</strong> serves again:</p>
        <dl class="pairs">
          ${restored.items.map(
            ({ what, to }) =>
              html`<div>
                <dt>
                  ${what === "traffic" || what === "pods" ? { traffic: "Traffic", pods: "Pods" }[what] : changeName({ what })}
                </dt>
                <dd>${to}</dd>
              </div>`,
          )}
        </dl>`
    }
    ${verification !== undefined && checkTable(verification)}`,
  };
}

function checkTable({ checks, by, version }: Verification): Html {
  if (checks.length === 0) return html`<p>No check ran${by !== undefined && html` in ${by}`}.</p>`;
  const passed = checks.filter(({ outcome }) => outcome === "passed").length;
  return html`<table class="wide">
    <caption>
      ${passed} of ${checks.length} checks${version !== undefined && html` of ${version}`}
      passed${by !== undefined && html` <span class="muted">${by}</span>`}
    </caption>
    <thead>
      <tr>
        <th scope="col">Check</th>
        <th scope="col">Outcome</th>
        <th scope="col">What came</th>
      </tr>
    </thead>
    <tbody>
      ${checks.map(
        ({ name, outcome, detail }) =>
          html`<tr>
            <th scope="row">${name}</th>
            <td>${mark(checkOutcomes[outcome])}</td>
            <td>${detail}</td>
          </tr>`,
      )}
    </tbody>
  </table>`;
}

function next({ next }: Report): Section | undefined {
  if (next === undefined || next.length === 0) return undefined;
  return {
    id: "next",
    title: "What next",
    body: html`<ul class="commands">
      ${next.map(
        ({ command, why }) =>
          html`<li>
            <p>${why}</p>
            <pre><code>${command}</code></pre>
            <button type="button" class="copy" data-copy="${command}">
              Copy<span class="hidden">: ${command}</span>
            </button>
          </li>`,
      )}
    </ul>`,
  };
}

/** A sign and its word, which say the same as the colour. */
function mark({ sign, word, tone }: Word): Html {
  return html`<span class="mark ${tone}"><span aria-hidden="true">${sign}</span> ${word}</span>`;
}
