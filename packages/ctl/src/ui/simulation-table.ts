import { styleText } from "node:util";
import type { Interval, QuantileInterval, Simulation, Spread } from "@safe-deploy/verdict";

/** A simulation of one values file, which `side` stands for where several are compared. */
export interface SideSimulation {
  side: string;
  simulation: Simulation;
}

type End = keyof Simulation["ends"];

interface Row {
  scenario: string;
  side: string;
  simulation: Simulation;
  end: End;
}

interface Column {
  title: string;
  cell: (row: Row) => string;
  isNumber?: boolean;
  /** Left out where the terminal is too narrow, the highest first. */
  dispensable?: number;
}

const endWords: Record<End, string> = { promoted: "promoted", aborted: "aborted", paused: "stands still" };

const columns: Column[] = [
  { title: "scenario", cell: ({ scenario }) => scenario },
  { title: "", cell: ({ side }) => side },
  { title: "ends", cell: ({ end }) => endWords[end] },
  {
    title: "of rollouts",
    isNumber: true,
    cell: ({ simulation, end }) => `${percent(simulation.ends[end].share)} ${percents(simulation.ends[end])}`,
  },
  { title: "after s", isNumber: true, cell: (row) => median(row.simulation.seconds[row.end]) },
  { title: "bad requests", isNumber: true, cell: (row) => median(row.simulation.badOf[row.end]?.untilEnd) },
  {
    title: "in 95 % after s",
    isNumber: true,
    dispensable: 2,
    cell: (row) => range(row.simulation.seconds[row.end]),
  },
  {
    title: "in 95 % bad",
    isNumber: true,
    dispensable: 1,
    cell: (row) => range(row.simulation.badOf[row.end]?.untilEnd),
  },
  {
    title: "mostly because",
    dispensable: 3,
    cell: ({ simulation, end }) => {
      const most = simulation.why.find((each) => each.end === end);
      return most === undefined ? "" : `${most.why}, at weight ${most.weight}`;
    },
  },
];

/**
 * Scenarios as rows, one for each way that rollouts ended; the values files side by side under each.
 *
 * @param width of the terminal, in columns; what does not fit is left out, and `-o json` has it all.
 */
export function simulationTable(sides: readonly SideSimulation[], width: number): string {
  const rows = rowsOf(sides);
  let shown = columns.filter(({ title }) => title !== "" || rows.some(({ side }) => side !== ""));
  const widths = () => shown.map(({ title, cell }) => Math.max(title.length, ...rows.map((row) => cell(row).length)));
  const total = () => widths().reduce((sum, each) => sum + each + 2, -2);
  while (total() > width) {
    const least = shown.reduce((most, { dispensable = 0 }) => Math.max(most, dispensable), 0);
    if (least === 0) break;
    shown = shown.filter(({ dispensable = 0 }) => dispensable !== least);
  }
  const fitted = widths();
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, index) =>
        shown[index]!.isNumber === true ? cell.padStart(fitted[index]!) : cell.padEnd(fitted[index]!),
      )
      .join("  ")
      .trimEnd();
  let before = "";
  return [
    styleText("bold", line(shown.map(({ title }) => title)), { stream: process.stdout }),
    ...rows.map((row) => {
      const isSame = row.scenario === before;
      before = row.scenario;
      const text = line(shown.map(({ cell }) => cell(isSame ? { ...row, scenario: "" } : row)));
      const colour = colourOf(row);
      return colour === undefined
        ? text
        : text.replace(endWords[row.end], (word) => styleText(colour, word, { stream: process.stdout }));
    }),
    "",
  ].join("\n");
}

function rowsOf(sides: readonly SideSimulation[]): Row[] {
  const names = [...new Set(sides.map(({ simulation }) => simulation.scenario))];
  return names.flatMap((scenario) =>
    sides
      .filter(({ simulation }) => simulation.scenario === scenario)
      .flatMap(({ side, simulation }) =>
        (["promoted", "aborted", "paused"] as const)
          .filter((end) => simulation.ends[end].count > 0)
          .map((end): Row => ({ scenario, side, simulation, end })),
      ),
  );
}

/** A good version is to be promoted, a bad one to be aborted. */
function colourOf({ simulation, end }: Row): "green" | "red" | "yellow" {
  if (end === "paused") return "yellow";
  return (simulation.falseAborts !== undefined) === (end === "promoted") ? "green" : "red";
}

const median = (spread: Spread | undefined) =>
  spread === undefined ? "" : `${number(spread.median)} ${interval(spread.medianInterval)}`;

const range = (spread: Spread | undefined) =>
  spread === undefined ? "" : `${number(spread.low)}–${number(spread.high)}`;

function interval({ low, high }: QuantileInterval): string {
  const end = (value: number | null) => (value === null ? "?" : number(value));
  return `(${end(low)}–${end(high)})`;
}

const percents = ({ low, high }: Interval) => `(${digits(100 * low)}–${digits(100 * high)})`;
const percent = (share: number) => `${digits(100 * share)} %`;
const digits = (value: number) => String(Number(value.toPrecision(3)));

/** Whole up to 9,999, then in thousands. */
function number(value: number): string {
  return value < 9_999.5 ? value.toFixed(0) : `${Number((value / 1000).toPrecision(3))}k`;
}
