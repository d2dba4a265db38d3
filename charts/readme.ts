import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isMap, isScalar, parseDocument, type Node, type Pair } from "yaml";

const CHART = join(import.meta.dirname, "myapp");
const BEGIN = "<!-- values: written by `pnpm --filter @safe-deploy/charts readme` from values.yaml -->";
const END = "<!-- /values -->";

export interface ValueRow {
  path: string;
  /** The default, as JSON. */
  fallback: string;
  description: string;
}

/**
 * A row for each value that values.yaml describes with a comment `# -- ...` above it.
 * @throws when a value has no description, neither itself nor by all of its children.
 */
export function valueRows(text: string): ValueRow[] {
  const document = parseDocument(text);
  const rows: ValueRow[] = [];
  const visit = (node: unknown, path: string[]) => {
    if (!isMap<Node, Node>(node) || node.items.length === 0) {
      throw new Error(`values.yaml: ${path.join(".")} has no description; write one above it, as "# -- ..."`);
    }
    for (const [index, pair] of node.items.entries()) {
      const here = [...path, keyOf(pair)];
      // The comment above the first key of a map belongs, for the parser, to the map.
      const comment = pair.key.commentBefore ?? (index === 0 ? node.commentBefore : undefined);
      const description = /^ -- (.+)$/m.exec(comment ?? "")?.[1];
      if (description === undefined) visit(pair.value, here);
      else rows.push({ path: here.join("."), fallback: JSON.stringify(pair.value?.toJS(document)), description });
    }
  };
  visit(document.contents, []);
  return rows;
}

function keyOf(pair: Pair<Node, Node>): string {
  if (isScalar(pair.key) && typeof pair.key.value === "string") return pair.key.value;
  throw new Error(`values.yaml: the key ${String(pair.key)} is not text`);
}

/** The README with its table of values replaced by that of values.yaml. */
export function withValuesTable(readme: string, values: string): string {
  const begin = readme.indexOf(BEGIN);
  const end = readme.indexOf(END);
  if (begin === -1 || end < begin)
    throw new Error(`README.md: the table's place is not marked with ${BEGIN} and ${END}`);
  const lines = valueRows(values).map(({ path, fallback, description }) => {
    const shown = fallback.length > 60 ? "see values.yaml" : `\`${fallback}\``;
    return `| \`${path}\` | ${escape(shown)} | ${escape(description)} |`;
  });
  const table = ["| value | default | meaning |", "| --- | --- | --- |", ...lines].join("\n");
  return `${readme.slice(0, begin)}${BEGIN}\n\n${table}\n\n${readme.slice(end)}`;
}

function escape(cell: string): string {
  return cell.replaceAll("|", "\\|");
}

if (import.meta.main) {
  const path = join(CHART, "README.md");
  const [readme, values] = await Promise.all([readFile(path, "utf8"), readFile(join(CHART, "values.yaml"), "utf8")]);
  await writeFile(path, withValuesTable(readme, values));
}
