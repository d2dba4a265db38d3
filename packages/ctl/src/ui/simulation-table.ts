import { styleText } from "node:util";
import type { QuantileInterval, Simulation, Spread } from "@safe-deploy/verdict";
import { align } from "./align.ts";
import { countWords, shareWords } from "./simulated-numbers.ts";

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

const columns: Column[] = [
  { title: "scenario", cell: ({ scenario }) => scenario },
  { title: "", cell: ({ side }) => side },
  { title: "ends", cell: ({ end }) => end },
  {
    title: "of rollouts",
    isNumber: true,
    cell: ({ simulation, end }) => shareWords(simulation.ends[end]),
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
  const lines = () =>
    align(
      [
        shown.map(({ title }) => title),
        ...rows.map((row, index) => {
          const isSame = row.scenario === rows[index - 1]?.scenario;
          return shown.map(({ cell }) => cell(isSame ? { ...row, scenario: "" } : row));
        }),
      ],
      shown.flatMap(({ isNumber }, index) => (isNumber === true ? [index] : [])),
    );
  for (let least = 3; least > 0 && lines().some((line) => line.length > width); least--) {
    shown = shown.filter(({ dispensable }) => dispensable !== least);
  }
  const [head, ...body] = lines();
  const coloured = (line: string, row: Row) =>
    line.replace(row.end, (word) => styleText(colourOf(row), word, { stream: process.stdout }));
  return [
    styleText("bold", head!, { stream: process.stdout }),
    ...body.map((line, index) => coloured(line, rows[index]!)),
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
  spread === undefined ? "" : `${countWords(spread.median)} ${interval(spread.medianInterval)}`;

const range = (spread: Spread | undefined) =>
  spread === undefined ? "" : `${countWords(spread.low)}–${countWords(spread.high)}`;

function interval({ low, high }: QuantileInterval): string {
  const end = (value: number | null) => (value === null ? "?" : countWords(value));
  return `(${end(low)}–${end(high)})`;
}
