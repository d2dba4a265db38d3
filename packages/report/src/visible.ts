import { stripVTControlCharacters } from "node:util";

/**
 * Text of others without the colours of a terminal, and with a sign in place of what would be invisible: control
 * characters, and those that change the direction of writing and so show something else than what is there.
 */
export function visible(text: string): string {
  return stripVTControlCharacters(text).replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) =>
    character === "\t" || character === "\n" ? character : "�",
  );
}
