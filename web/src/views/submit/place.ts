/** Where in a workflow's YAML the cursor is, also while it is being written and no parser would take it. Pure. */

export interface PlaceInYaml {
  /** Keys from the outside in; `[]` for an element of a list. */
  readonly path: readonly string[];
  /** Whether a key is being written there, or the value of the last of `path`. */
  readonly what: "key" | "value";
  /** Where the word begins that the cursor is in. */
  readonly from: number;
  readonly word: string;
  /** Keys that are there already, beside it. */
  readonly taken: readonly string[];
}

export const ELEMENT = "[]";

const KEY = /^(?:"([^"]*)"|'([^']*)'|([^\s#"'{}[\],&*!|>%@`-][^:#{}[\],]*|-[^\s:][^:]*))\s*:(?:\s|$)/;

interface Line {
  readonly indent: number;
  readonly key: string | null;
  /** What follows the key and its colon. */
  readonly rest: string;
  /** Where the rest begins, in the line. */
  readonly at: number;
  /** Whether an element of a list begins here: then a level of its own is at `dash`. */
  readonly dash: number | null;
}

/** Where `offset` is. Blocks go by their indentation; `{…}` and `[…]` are understood within a line. */
export function placeAt(text: string, offset: number): PlaceInYaml {
  const start = text.lastIndexOf("\n", offset - 1) + 1;
  const before = text.slice(0, start).split("\n").slice(0, -1);
  const end = text.indexOf("\n", offset);
  const after = end < 0 ? [] : text.slice(end + 1).split("\n");
  const typed = text.slice(start, offset);
  const line = read(typed);
  const word = /[\w.${}-]*$/.exec(typed)?.[0] ?? "";
  const outer = above(before, line);
  if (line.key === null && !opens(typed.slice(line.at))) {
    const path = line.dash === null ? outer : [...outer, ELEMENT];
    const taken = [
      ...keysAround(before.reverse(), line),
      ...keysAround(untilNext(after, line), { ...line, dash: null }),
    ];
    return { path, what: "key", from: offset - word.length, word, taken };
  }
  const base = [...outer, ...(line.dash === null ? [] : [ELEMENT]), ...(line.key === null ? [] : [line.key])];
  return { ...inFlow(typed.slice(line.at), base), from: offset - word.length, word };
}

function opens(text: string): boolean {
  return /^\s*[{[]/.test(text);
}

function read(text: string): Line {
  const indent = text.length - text.trimStart().length;
  let at = indent;
  let dash: number | null = null;
  for (let marker = /^-\s+/.exec(text.slice(at)); marker; marker = /^-\s+/.exec(text.slice(at))) {
    dash = at;
    at += marker[0].length;
  }
  const found = KEY.exec(text.slice(at));
  if (!found) return { indent: at, key: null, rest: text.slice(at), at, dash };
  const key = (found[1] ?? found[2] ?? found[3] ?? "").trim();
  return { indent: at, key, rest: text.slice(at + found[0].length), at: at + found[0].length, dash };
}

/** The keys that a line is below of, from the lines before it. */
function above(before: readonly string[], line: Line): string[] {
  const path: string[] = [];
  let limit = line.dash ?? line.indent;
  let isElement = line.dash !== null;
  for (let at = before.length - 1; at >= 0; at--) {
    const text = before[at] as string;
    if (!text.trim() || text.trimStart().startsWith("#")) continue;
    const one = read(text);
    // An element's marker may stand as far out as the key that its list belongs to.
    const fits = one.indent < limit || (isElement && one.indent === limit && one.dash === null);
    if (one.dash !== null && one.dash < limit && one.indent >= limit) {
      path.unshift(ELEMENT);
      limit = one.dash;
      isElement = true;
      continue;
    }
    if (!fits || one.key === null) continue;
    path.unshift(one.key);
    isElement = one.dash !== null;
    if (isElement) path.unshift(ELEMENT);
    limit = one.dash ?? one.indent;
  }
  return path;
}

/** Keys of the same block, in the lines that follow one another from there. */
function keysAround(lines: readonly string[], line: Line): string[] {
  const keys: string[] = [];
  if (line.dash !== null) return keys;
  for (const text of lines) {
    if (!text.trim() || text.trimStart().startsWith("#")) continue;
    const one = read(text);
    if (one.indent < line.indent) break;
    if (one.indent !== line.indent) continue;
    if (one.key !== null) keys.push(one.key);
    if (one.dash !== null) break;
  }
  return keys;
}

/** The lines up to where another element of the list that the line is in begins. */
function untilNext(after: readonly string[], line: Line): readonly string[] {
  const end = after.findIndex((text) => {
    const { dash } = read(text);
    return dash !== null && dash < line.indent;
  });
  return end < 0 ? after : after.slice(0, end);
}

interface Open {
  readonly path: readonly string[];
  readonly isMap: boolean;
  readonly taken: string[];
  key: string | null;
}

/** Within `{a: {b: ` of one line. */
function inFlow(text: string, base: readonly string[]): Pick<PlaceInYaml, "path" | "what" | "taken"> {
  const open: Open[] = [];
  let quote = "";
  let word = "";
  for (const sign of text) {
    const top = open.at(-1);
    if (quote) {
      if (sign === quote) quote = "";
      else word += sign;
    } else if ((sign === '"' || sign === "'") && !word.trim()) quote = sign;
    else if (sign === "{" || sign === "[") {
      open.push({ path: pathOf(top, base), isMap: sign === "{", taken: [], key: null });
      word = "";
    } else if (sign === "}" || sign === "]") {
      open.pop();
      word = "";
    } else if (sign === "," && top) {
      top.key = null;
      word = "";
    } else if (sign === ":" && top?.isMap && top.key === null) {
      top.key = word.trim();
      top.taken.push(top.key);
      word = "";
    } else word += sign;
  }
  const top = open.at(-1);
  if (top?.isMap && top.key === null) return { path: top.path, what: "key", taken: top.taken };
  return { path: pathOf(top, base), what: "value", taken: [] };
}

function pathOf(top: Open | undefined, base: readonly string[]): readonly string[] {
  if (!top) return base;
  if (!top.isMap) return [...top.path, ELEMENT];
  return top.key === null ? top.path : [...top.path, top.key];
}
