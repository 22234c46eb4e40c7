/** What the editor offers while a workflow is written: fields and values from the schema, and the names of steps and of what they leave. */
import type { Completion, CompletionContext, CompletionResult } from "@codemirror/autocomplete";
import { ELEMENT, type PlaceInYaml, placeAt } from "./place";
import { type Key, keysAt, type Schema, valuesAt } from "./schema";

export function completing(schema: Schema): (context: CompletionContext) => CompletionResult | null {
  return (context) => {
    const text = context.state.doc.toString();
    const place = placeAt(text, context.pos);
    if (
      !context.explicit &&
      place.word === "" &&
      !/[:{[,\s]$/.test(text.slice(Math.max(0, context.pos - 1), context.pos))
    )
      return null;
    const options = optionsAt(schema, place, text, context.pos);
    if (
      options.length === 0 ||
      (!context.explicit && place.word === "" && place.what === "value" && options.length > 40)
    )
      return null;
    return { from: place.from, options, validFor: /^[\w.-]*$/ };
  };
}

/** What may be written at a place. */
export function optionsAt(schema: Schema, place: PlaceInYaml, text: string, at: number): Completion[] {
  if (place.what === "key") {
    const isFlow = isInFlow(text, at);
    const keys = keysAt(schema, place.path).filter((key) => !place.taken.includes(key.name));
    return keys.map((key) => ({
      label: key.name,
      type: "property",
      detail: key.isRequired ? "required" : undefined,
      info: key.description || undefined,
      boost: key.isRequired ? 2 : key.name === "name" ? 1 : 0,
      apply: isFlow ? `${key.name}: ` : applied(key, indentAt(text, at)),
    }));
  }
  const values = valuesAt(schema, place.path).map((value): Completion => ({ label: String(value), type: "enum" }));
  return values.length ? values : namesAt(place, text);
}

/** Names of steps where steps are named. */
function namesAt(place: PlaceInYaml, text: string): Completion[] {
  const keys = place.path.filter((part) => part !== ELEMENT);
  const last = keys.at(-1);
  const isInput = last === "from" || keys.at(-2) === "inputs";
  if (last !== "after" && !isInput) return [];
  const steps = [...text.matchAll(/^\s*- (?:\{\s*)?name:\s*["']?([a-z][-a-z0-9]*)/gm)].map(
    (found) => found[1] as string,
  );
  return [...new Set(steps)].map((name) => ({ label: name, type: "variable", apply: isInput ? `${name}.` : name }));
}

function applied(key: Key, indent: string): string {
  if (key.holds === "object") return `${key.name}:\n${indent}  `;
  return key.holds === "array" ? `${key.name}:\n${indent}  - ` : `${key.name}: `;
}

function lineBefore(text: string, at: number): string {
  return text.slice(text.lastIndexOf("\n", at - 1) + 1, at);
}

/** The indentation of the block that is being written: an element's marker counts as white space. */
function indentAt(text: string, at: number): string {
  const marks = /^(\s*(?:-\s+)*)/.exec(lineBefore(text, at))?.[1] ?? "";
  return " ".repeat(marks.length);
}

function isInFlow(text: string, at: number): boolean {
  const line = lineBefore(text, at);
  const count = (signs: RegExp) => (line.match(signs) ?? []).length;
  return count(/[{[]/g) > count(/[}\]]/g);
}
