/**
 * Where the reader is. Addresses are `#/run?namespace=ml&name=iris`: the part after `#` never reaches a server, so the page works below
 * any proxy's path, and names of tasks (which hold slashes) travel as parameters.
 */
import { signal } from "@preact/signals";

export interface Place {
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
}

export type Query = Readonly<Record<string, string | undefined>>;

export const place = signal<Place>(parse(location.hash));

export function startRouter(): void {
  window.addEventListener("hashchange", () => {
    place.value = parse(location.hash);
  });
}

/** The address of a view, for `href`. Parameters that are undefined or empty are left out. */
export function to(path: string, query: Query = {}): string {
  const said = Object.entries(query).filter(
    (pair): pair is [string, string] => pair[1] !== undefined && pair[1] !== "",
  );
  const text = new URLSearchParams(said).toString();
  return `#/${path}${text ? `?${text}` : ""}`;
}

export function go(path: string, query: Query = {}): void {
  location.hash = to(path, query);
}

/** Change parameters of where the reader is, without an entry in the history: a filter, a chosen step. */
export function refine(changes: Query): void {
  const next = to(place.value.path, { ...place.value.query, ...changes });
  history.replaceState(history.state, "", next);
  place.value = parse(next);
}

export function parse(hash: string): Place {
  const text = hash.replace(/^#\/?/, "");
  const [path = "", query = ""] = [text.split("?")[0], text.slice(text.indexOf("?") + 1 || text.length)];
  return { path, query: Object.fromEntries(new URLSearchParams(query)) };
}
