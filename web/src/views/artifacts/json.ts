/** A JSON document as a tree that is opened level by level. Pure. */

export interface Item {
  /** The key, or the index in a list. */
  readonly key: string;
  readonly value: unknown;
}

/** Children of a value that are shown at once; more are asked for. */
export const MOST = 100;

export function isNested(value: unknown): value is object {
  return typeof value === "object" && value !== null && Object.keys(value).length > 0;
}

export function itemsOf(value: object): Item[] {
  return Object.entries(value).map(([key, inner]) => ({ key, value: inner }));
}

/** What a closed level says of what is in it: `{3}`, `[12]`. */
export function sizeOf(value: object): string {
  return Array.isArray(value) ? `[${value.length}]` : `{${Object.keys(value).length}}`;
}

/** The kind of a value, as its colour says it. */
export function kindOf(value: unknown): "text" | "number" | "word" | "empty" {
  if (typeof value === "string") return "text";
  if (typeof value === "number") return "number";
  return typeof value === "object" && value !== null ? "empty" : "word";
}
