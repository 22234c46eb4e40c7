/** What a JSON Schema (2020-12) says may stand at a place. Knows the words that our own schema is written in. Pure. */
import { ELEMENT } from "./place";

export interface Schema {
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, Schema>>;
  readonly title?: string;
  readonly description?: string;
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly required?: readonly string[];
}

export interface Key {
  readonly name: string;
  readonly description: string;
  readonly isRequired: boolean;
  /** What is written below it: a block of keys, a list, or a value in the same line. */
  readonly holds: "object" | "array" | "value";
}

/** The keys that an object may have at a path. */
export function keysAt(root: Schema, path: readonly string[]): Key[] {
  const keys = new Map<string, Key>();
  for (const schema of schemasAt(root, path)) {
    for (const [name, written] of Object.entries(schema.properties ?? {})) {
      if (keys.has(name)) continue;
      const isRequired = schema.required?.includes(name) ?? false;
      keys.set(name, { name, description: describe(root, written), isRequired, holds: holds(root, written) });
    }
  }
  return [...keys.values()];
}

/** The values that may stand at a path, where they can be listed. */
export function valuesAt(root: Schema, path: readonly string[]): unknown[] {
  const found = schemasAt(root, path).flatMap((schema) => {
    if (schema.const !== undefined) return [schema.const];
    if (schema.enum) return [...schema.enum];
    return schema.type === "boolean" ? [true, false] : [];
  });
  return [...new Set(found)];
}

/** What is said of a path. */
export function describeAt(root: Schema, path: readonly string[]): string {
  const key = path.at(-1);
  if (key === undefined || key === ELEMENT) return "";
  return keysAt(root, path.slice(0, -1)).find((one) => one.name === key)?.description ?? "";
}

function schemasAt(root: Schema, path: readonly string[]): Schema[] {
  return path.reduce<Schema[]>(
    (schemas, part) =>
      schemas.flatMap((schema) => {
        if (part === ELEMENT) return schema.items ? alternatives(root, schema.items) : [];
        const own = schema.properties?.[part];
        if (own) return alternatives(root, own);
        return typeof schema.additionalProperties === "object" ? alternatives(root, schema.additionalProperties) : [];
      }),
    alternatives(root, root),
  );
}

/** A schema and those that it refers to or is one of. */
function alternatives(root: Schema, schema: Schema): Schema[] {
  const name = schema.$ref?.replace("#/$defs/", "");
  const referred = name === undefined ? undefined : root.$defs?.[name];
  return [
    schema,
    ...(referred ? alternatives(root, referred) : []),
    ...[...(schema.anyOf ?? []), ...(schema.oneOf ?? [])].flatMap((one) => alternatives(root, one)),
  ];
}

function describe(root: Schema, schema: Schema): string {
  const words = alternatives(root, schema).find((one) => one.description)?.description ?? "";
  return schema.default === undefined ? words : `${words} Default: ${JSON.stringify(schema.default)}.`;
}

function holds(root: Schema, schema: Schema): Key["holds"] {
  const kinds = new Set(alternatives(root, schema).flatMap((one) => one.type ?? (one.properties ? ["object"] : [])));
  return kinds.size === 1 && (kinds.has("object") || kinds.has("array")) ? ([...kinds][0] as Key["holds"]) : "value";
}
