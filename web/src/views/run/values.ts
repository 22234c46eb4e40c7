/** Values of parameters as text, and back: pure. A string is written plainly where that is not JSON of another kind. */
import type { Question } from "../../api/types";

export function written(value: unknown): string {
  return typeof value === "string" && typeof read(value) === "string" ? value : JSON.stringify(value);
}

/** JSON where it is JSON, else the text itself. */
export function read(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

export interface Changed {
  readonly values: Record<string, unknown>;
  readonly problems: Record<string, string>;
}

/** What differs from before. What was no text before must be JSON of the same kind: a number that has lost a digit to a typing error is no new text. */
export function changed(before: Readonly<Record<string, unknown>>, texts: Readonly<Record<string, string>>): Changed {
  const values: Record<string, unknown> = {};
  const problems: Record<string, string> = {};
  for (const [name, value] of Object.entries(before)) {
    const text = texts[name] ?? "";
    if (text === written(value)) continue;
    const next = typeof value === "string" && typeof read(text) !== "string" ? text : read(text);
    if (kind(next) !== kind(value) && value !== null)
      problems[name] = `It is a ${kind(value)}, and this is a ${kind(next)}.`;
    else values[name] = next;
  }
  return { values, problems };
}

/** What a person has typed as the answer to a question. */
export function answered(question: Question, text: string): { value?: unknown; problem?: string } {
  if (text === "" && question.hasDefault) return {};
  if (question.enum.length > 0) {
    const chosen = question.enum.filter((each) => written(each) === text);
    return chosen.length > 0 ? { value: chosen[0] } : { problem: "Needed." };
  }
  if (question.type === "string") return text ? { value: text } : { problem: "Needed." };
  if (text.trim() === "") return { problem: "Needed." };
  const value = read(text);
  if (question.type === "json") return { value };
  if (question.type === "integer") return Number.isInteger(value) ? { value } : { problem: "A whole number." };
  if (question.type === "number") return typeof value === "number" ? { value } : { problem: "A number." };
  return typeof value === "boolean" ? { value } : { problem: "true or false." };
}

function kind(value: unknown): string {
  return value === null ? "null" : Array.isArray(value) ? "list" : typeof value;
}
