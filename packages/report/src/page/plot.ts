import uPlot from "uplot";
import { formatTime, formatValue } from "../format.ts";
import type { Line, Plot, View } from "../plots.ts";
import { weightAt } from "../weight.ts";

/** Pixels between the markers of a line, so that they tell it from others and still show its course. */
const markerDistance = 36;
/** Of the band that shows the weight, in pixels. */
const bandHeight = 15;
const shown = new Map<string, Chart>();

/** Draws the plots into their places, or brings those that are drawn up to date. */
export function drawPlots(plots: Plot[]): void {
  for (const plot of plots) {
    const place = document.querySelector<HTMLElement>(`[data-plot="${plot.id}"]`);
    if (place === null) continue;
    const chart = shown.get(plot.id);
    if (chart?.place === place) chart.update(plot);
    else shown.set(plot.id, new Chart(place, plot));
  }
}

/** One plot with its key, which tells the values of the moment that the pointer or the arrow keys are at. */
class Chart {
  readonly place: HTMLElement;
  #plot: Plot;
  #view = 0;
  #drawn: uPlot | undefined;
  #canvas = element("div", "canvas");
  #moment = element("span", "moment");
  #values: HTMLElement[] = [];
  #choice = element("div", "choice");
  #key = element("ul", "key");

  constructor(place: HTMLElement, plot: Plot) {
    this.place = place;
    this.#plot = plot;
    this.#choice.setAttribute("role", "group");
    this.#canvas.tabIndex = 0;
    // Arrow keys go from one moment to the next, and its values are read aloud: what a slider does.
    this.#canvas.setAttribute("role", "slider");
    this.#canvas.setAttribute("aria-label", `${plot.title}: moment`);
    this.#canvas.setAttribute("aria-describedby", `plot-${plot.id}-key`);
    this.#canvas.setAttribute("aria-valuemin", "1");
    this.#canvas.addEventListener("keydown", (event) => this.#move(event));
    this.#canvas.addEventListener("focus", () => this.#goTo(this.#index()));
    this.#canvas.addEventListener("blur", () => this.#goTo(undefined));
    this.#key.id = `plot-${plot.id}-key`;
    const head = element("div", "head");
    head.append(this.#key, this.#moment, this.#choice);
    place.replaceChildren(head, this.#canvas);
    this.#build();
    new ResizeObserver(() => requestAnimationFrame(() => this.#fit())).observe(place);
  }

  update(plot: Plot): void {
    const sameShape = shapeOf(plot) === shapeOf(this.#plot);
    this.#plot = plot;
    if (sameShape) {
      this.#drawn?.setData(this.#data());
      this.#tell();
    } else {
      this.#view = 0;
      this.#build();
    }
  }

  /** Draws again in the colours that hold now. */
  redraw(): void {
    this.#drawn?.redraw(false, true);
  }

  fit(): void {
    this.#fit();
  }

  #current(): View {
    return this.#plot.views[this.#view] ?? { name: "", lines: [], limits: [] };
  }

  #data(): uPlot.AlignedData {
    return [this.#plot.times, ...this.#current().lines.map(({ values }) => values)];
  }

  #build(): void {
    this.#buildChoice();
    this.#draw();
  }

  #draw(): void {
    this.#drawn?.destroy();
    this.#buildKey();
    this.#drawn = new uPlot(this.#options(), this.#data(), this.#canvas);
    this.#tell();
  }

  #buildChoice(): void {
    const { views, title } = this.#plot;
    this.#choice.hidden = views.length < 2;
    this.#choice.setAttribute("aria-label", `${title}: which`);
    this.#choice.replaceChildren(
      ...views.map(({ name }, index) => {
        const button = element("button");
        button.type = "button";
        button.textContent = name;
        button.setAttribute("aria-pressed", String(index === this.#view));
        button.addEventListener("click", () => {
          this.#view = index;
          for (const [other, one] of [...this.#choice.children].entries())
            one.setAttribute("aria-pressed", String(other === index));
          this.#draw();
        });
        return button;
      }),
    );
  }

  #buildKey(): void {
    const items = this.#current().lines.map(({ label, role }) => {
      const item = element("li", role);
      const value = element("span", "value");
      const name = element("b");
      name.textContent = label;
      item.append(sample(role), name, " ", value);
      return { item, value };
    });
    this.#values = items.map(({ value }) => value);
    this.#key.replaceChildren(...items.map(({ item }) => item));
  }

  #options(): uPlot.Options {
    const { unit } = this.#plot;
    const { lines, limits } = this.#current();
    const limitValues = limits.map(({ value }) => value);
    return {
      ...this.#size(),
      padding: [this.#plot.weights.length > 0 ? bandHeight + 9 : 8, 12, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, sync: { key: "moment" }, points: { size: 9 } },
      scales: {
        x: { time: true },
        y: {
          range: (_, min, max) => {
            const top = Math.max(max ?? 0, ...limitValues);
            // Room for the names of what happened.
            return [Math.min(0, min ?? 0), top > 0 ? top * 1.25 : 1];
          },
        },
      },
      axes: [
        {
          stroke: () => colour("muted"),
          grid: { show: false },
          ticks: { stroke: () => colour("line"), size: 4 },
          space: 72,
          size: 24,
          font: font(),
          values: (_, moments) => moments.map((at) => formatTime(at)),
        },
        {
          stroke: () => colour("muted"),
          grid: { stroke: () => colour("line"), width: 1 },
          ticks: { show: false },
          space: 32,
          size: 58,
          gap: 6,
          font: font(),
          values: (_, values) => values.map((value) => formatValue(value, unit)),
        },
      ],
      series: [
        {},
        ...lines.map(({ label, role }): uPlot.Series => ({
          label,
          stroke: () => colour(role),
          width: role === "new" ? 2.25 : 1.75,
          points: { show: false },
          ...(role === "stable" ? { dash: [7, 4] } : {}),
        })),
      ],
      hooks: {
        drawClear: [(u) => drawWeights(u, this.#plot)],
        draw: [(u) => drawLimits(u, this.#current()), (u) => drawMarks(u, this.#plot), (u) => drawMarkers(u, lines)],
        setCursor: [() => this.#tell()],
      },
    };
  }

  #size(): { width: number; height: number } {
    const width = Math.max(240, Math.floor(this.#canvas.clientWidth));
    return { width, height: width < 560 ? 170 : 190 };
  }

  #fit(): void {
    const size = this.#size();
    if (this.#drawn !== undefined && this.#drawn.width !== size.width) this.#drawn.setSize(size);
  }

  #index(): number {
    const last = this.#plot.times.length - 1;
    return Math.min(this.#drawn?.cursor.idx ?? last, last);
  }

  #move(event: KeyboardEvent): void {
    const at = this.#index();
    const page = Math.max(2, Math.round(this.#plot.times.length / 10));
    const target = {
      ArrowLeft: at - 1,
      ArrowDown: at - 1,
      ArrowRight: at + 1,
      ArrowUp: at + 1,
      PageDown: at - page,
      PageUp: at + page,
      Home: 0,
      End: this.#plot.times.length - 1,
    }[event.key];
    if (target === undefined) return;
    event.preventDefault();
    this.#goTo(target);
  }

  /** In all plots, for they share their times. */
  #goTo(index: number | undefined): void {
    const { times } = this.#plot;
    const at = index === undefined ? undefined : times[Math.min(Math.max(index, 0), times.length - 1)];
    for (const chart of shown.values()) chart.point(at);
  }

  /** Puts the cursor at a moment, or takes it away. */
  point(at: number | undefined): void {
    if (at === undefined) this.#drawn?.setCursor({ left: -10, top: -10 });
    else this.#drawn?.setCursor({ left: this.#drawn.valToPos(at, "x"), top: 1 });
  }

  /** Writes the values of the moment beside the lines' names. */
  #tell(): void {
    const { times, unit, weights } = this.#plot;
    const { lines } = this.#current();
    const index = this.#drawn?.cursor.idx ?? undefined;
    const at = index === undefined ? undefined : times[index];
    const texts = lines.map(({ values }) => (index === undefined ? "" : formatValue(values[index], unit)));
    for (const [line, { summary }] of lines.entries()) {
      const place = this.#values[line];
      if (place === undefined) continue;
      place.textContent = index === undefined ? summary : (texts[line] ?? "");
      place.classList.toggle("now", index !== undefined);
    }
    const weight = at === undefined ? undefined : weightAt(weights, at);
    const moment = at === undefined ? "" : `${formatTime(at)}${weight === undefined ? "" : `, weight ${weight} %`}`;
    this.#moment.textContent = moment === "" ? "" : `at ${moment}`;
    this.#canvas.setAttribute("aria-valuemax", String(Math.max(1, times.length)));
    this.#canvas.setAttribute("aria-valuenow", String((index ?? times.length - 1) + 1));
    this.#canvas.setAttribute(
      "aria-valuetext",
      at === undefined
        ? `${times.length} moments; arrow keys go through them`
        : [moment, ...lines.map(({ label }, line) => `${label} ${texts[line]}`)].join("; "),
    );
  }
}

/** What of a plot needs a new drawing when it changes; anything else is new data. */
function shapeOf({ unit, views }: Plot): string {
  return JSON.stringify([
    unit,
    views.map(({ name, lines, limits }) => [name, lines.map(({ label }) => label), limits]),
  ]);
}

/** The new version's share of the traffic as a band above the plot, filled as high as it is, with the percent in it. */
function drawWeights(u: uPlot, { weights }: Plot): void {
  const { ctx, bbox } = u;
  const { min, max } = u.scales["x"] ?? {};
  if (weights.length === 0 || min === undefined || max === undefined) return;
  const height = bandHeight * devicePixelRatio;
  const top = bbox.top - height - 7 * devicePixelRatio;
  ctx.save();
  ctx.font = font(10.5 * devicePixelRatio);
  ctx.textBaseline = "middle";
  ctx.textAlign = "right";
  ctx.fillStyle = colour("muted");
  ctx.fillText("weight", bbox.left - 6 * devicePixelRatio, top + height / 2);
  ctx.textAlign = "left";
  for (const [index, [at, weight]] of weights.entries()) {
    const from = u.valToPos(Math.max(at, min), "x", true);
    const to = u.valToPos(Math.min(weights[index + 1]?.[0] ?? max, max), "x", true);
    if (to <= from) continue;
    ctx.fillStyle = colour("weight-ground");
    ctx.fillRect(from, top, to - from, height);
    ctx.fillStyle = colour("weight");
    ctx.fillRect(from, top + height * (1 - weight / 100), to - from, (height * weight) / 100);
    ctx.fillStyle = colour("muted");
    ctx.fillRect(from, top, devicePixelRatio, height);
    ctx.fillStyle = colour("text");
    const text = `${weight} %`;
    if (to - from > ctx.measureText(text).width + 8 * devicePixelRatio)
      ctx.fillText(text, from + 5 * devicePixelRatio, top + height / 2);
  }
  ctx.restore();
}

function drawLimits(u: uPlot, { limits }: View): void {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = colour("text");
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([2 * devicePixelRatio, 3 * devicePixelRatio]);
  ctx.font = font(11 * devicePixelRatio);
  ctx.textAlign = "left";
  ctx.textBaseline = "bottom";
  for (const { value, label } of limits) {
    const y = Math.round(u.valToPos(value, "y", true)) + 0.5;
    line(ctx, [bbox.left, y], [bbox.left + bbox.width, y]);
    halo(ctx, label, bbox.left + 6 * devicePixelRatio, y - 2 * devicePixelRatio);
  }
  ctx.restore();
}

/** What happened, as vertical lines; a name that would run into the one before it goes a line lower. */
function drawMarks(u: uPlot, { marks }: Plot): void {
  const { ctx, bbox } = u;
  const { min, max } = u.scales["x"] ?? {};
  if (min === undefined || max === undefined) return;
  ctx.save();
  ctx.lineWidth = devicePixelRatio;
  ctx.font = font(11 * devicePixelRatio);
  ctx.textBaseline = "top";
  const rows: number[] = [];
  for (const { at, text, bad } of marks) {
    if (at < min || at > max) continue;
    const x = Math.round(u.valToPos(at, "x", true)) + 0.5;
    const shownText = bad ? `✗ ${text}` : text;
    const width = ctx.measureText(shownText).width + 8 * devicePixelRatio;
    const toLeft = x + width > bbox.left + bbox.width;
    const from = toLeft ? x - width : x;
    let row = rows.findIndex((end) => end <= from);
    if (row < 0) row = rows.length;
    rows[row] = from + width;
    ctx.strokeStyle = ctx.fillStyle = colour(bad ? "bad" : "muted");
    line(ctx, [x, bbox.top], [x, bbox.top + bbox.height]);
    ctx.textAlign = toLeft ? "right" : "left";
    halo(ctx, shownText, x + (toLeft ? -4 : 4) * devicePixelRatio, bbox.top + (1 + row * 13) * devicePixelRatio);
  }
  ctx.restore();
}

/** Circles for the new version, squares for the stable one; a point that stands alone is shown, for no line shows it. */
function drawMarkers(u: uPlot, lines: Line[]): void {
  const { ctx } = u;
  ctx.save();
  for (const [index, { role }] of lines.entries()) {
    const values = u.data[index + 1] ?? [];
    ctx.fillStyle = colour(role);
    let last = Number.NEGATIVE_INFINITY;
    for (const [at, value] of values.entries()) {
      if (value === null || value === undefined) continue;
      const alone = isGap(values[at - 1]) && isGap(values[at + 1]);
      const x = u.valToPos(u.data[0][at] ?? 0, "x", true);
      if (!alone && x - last < markerDistance * devicePixelRatio) continue;
      last = x;
      const y = u.valToPos(value, "y", true);
      const radius = (role === "new" ? 3.2 : 2.8) * devicePixelRatio;
      ctx.beginPath();
      if (role === "new") ctx.arc(x, y, radius, 0, 2 * Math.PI);
      else ctx.rect(x - radius, y - radius, 2 * radius, 2 * radius);
      ctx.fill();
    }
  }
  ctx.restore();
}

function isGap(value: number | null | undefined): boolean {
  return value === null || value === undefined;
}

function line(ctx: CanvasRenderingContext2D, from: [number, number], to: [number, number]): void {
  ctx.beginPath();
  ctx.moveTo(...from);
  ctx.lineTo(...to);
  ctx.stroke();
}

/** Text that stays readable above lines. */
function halo(ctx: CanvasRenderingContext2D, text: string, x: number, y: number): void {
  ctx.save();
  ctx.setLineDash([]);
  ctx.strokeStyle = colour("surface");
  ctx.lineWidth = 4 * devicePixelRatio;
  ctx.lineJoin = "round";
  ctx.strokeText(text, x, y);
  ctx.restore();
  ctx.fillText(text, x, y);
}

/** A piece of the line as it is drawn: dash and marker tell the versions apart where colour does not. */
function sample(role: Line["role"]): SVGElement {
  const svg = svgElement("svg", { width: "28", height: "10", viewBox: "0 0 28 10", "aria-hidden": "true" });
  const dash = role === "stable" ? { "stroke-dasharray": "7 4" } : {};
  svg.append(svgElement("path", { d: "M0 5h28", stroke: "currentColor", "stroke-width": "2", ...dash }));
  svg.append(
    role === "new"
      ? svgElement("circle", { cx: "14", cy: "5", r: "3.4", fill: "currentColor" })
      : svgElement("rect", { x: "11", y: "2", width: "6", height: "6", fill: "currentColor" }),
  );
  return svg;
}

function svgElement(name: string, attributes: Record<string, string>): SVGElement {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function element<Name extends keyof HTMLElementTagNameMap>(name: Name, className = ""): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name);
  if (className !== "") made.className = className;
  return made;
}

/** A colour of the style sheet as it holds now. */
function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function font(size = 11): string {
  return `${size}px system-ui, sans-serif`;
}

function redrawAll(): void {
  for (const chart of shown.values()) chart.redraw();
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAll);
// Paper is white, and as wide as it is.
addEventListener("beforeprint", () => {
  document.documentElement.classList.add("paper");
  for (const chart of shown.values()) chart.fit();
  redrawAll();
});
addEventListener("afterprint", () => {
  document.documentElement.classList.remove("paper");
  for (const chart of shown.values()) chart.fit();
  redrawAll();
});
