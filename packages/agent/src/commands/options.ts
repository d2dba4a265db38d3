import { usage } from "../errors.ts";

/** @throws AgentError when the text is no whole number of at least `least`. */
export function wholeNumber(name: string, text: string, least: number): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < least || text.trim() === "") {
    throw usage(`${name} ${text} is not a whole number of at least ${least}`);
  }
  return value;
}
