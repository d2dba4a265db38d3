/** Lines of a terminal hold so many characters. */
const lineWidth = 80;

/** Items with commas between them, in as many lines as they need; the first may have a head, all others are indented. */
export function wrapItems(items: readonly string[], head = ""): string[] {
  const lines = [head];
  for (const [index, item] of items.entries()) {
    const text = `${item}${index + 1 < items.length ? ", " : ""}`;
    if (lines.at(-1)!.length + text.trimEnd().length > lineWidth) lines.push("  ");
    lines[lines.length - 1] += text;
  }
  return lines.map((line) => line.trimEnd());
}
