/** The parameters of a workflow as fields of a form: a value as text, and the text as a value of the same type. Pure. */

/** What stands in a field for a value. */
export function asText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

export type Read = { readonly value: unknown } | { readonly problem: string };

/** The value that a text means where the file has `given`: text stays text, anything else is read as JSON of the same type. */
export function readAs(given: unknown, text: string): Read {
  if (typeof given === "string") return { value: text };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { problem: `${kindOf(given)} is expected, like ${asText(given)}` };
  }
  if (given !== null && kindOf(value) !== kindOf(given))
    return { problem: `${kindOf(given)} is expected, like ${asText(given)}` };
  return { value };
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (value === null) return "null";
  return (
    { number: "a number", boolean: "true or false", object: "an object in JSON", string: "text" }[
      typeof value as "number"
    ] ?? "a value"
  );
}

/** The parameters that are not as the file has them. Raises nothing: what cannot be read is among `problems`. */
export function changed(
  given: Readonly<Record<string, unknown>>,
  written: Readonly<Record<string, string>>,
): { readonly params: Record<string, unknown>; readonly problems: Record<string, string> } {
  const params: Record<string, unknown> = {};
  const problems: Record<string, string> = {};
  for (const [name, text] of Object.entries(written)) {
    if (!(name in given) || text === asText(given[name])) continue;
    const read = readAs(given[name], text);
    if ("problem" in read) problems[name] = read.problem;
    else params[name] = read.value;
  }
  return { params, problems };
}
