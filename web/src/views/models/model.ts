/** A model's versions and moves, as its page puts them. Pure. */
import type { Model, ModelMove, ModelVersion } from "../../api/types";

/** The names of metrics that versions have, in the order of their names. */
export function metricsOf(versions: readonly ModelVersion[]): string[] {
  return [...new Set(versions.flatMap((version) => Object.keys(version.metrics)))].sort();
}

/** What a move did, in words. */
export function deedOf(move: ModelMove): string {
  const from = move.previous ? `, was ${move.previous}` : "";
  return `${move.alias} → version ${move.version}${from}`;
}

/** What an alias meant before it meant what it means; null where there is nothing to go back to. What was rolled back is forgotten. */
export function before(model: Model, alias: string): number | null {
  const meant: number[] = [];
  for (const move of [...model.moves].sort((one, other) => one.number - other.number)) {
    if (move.alias !== alias) continue;
    if (move.isRollback) meant.pop();
    else meant.push(move.version);
  }
  return meant.at(-2) ?? null;
}

/** What may be an alias: as the server has it. */
export function isAlias(text: string): boolean {
  return /^[a-z]([-a-z0-9]*[a-z0-9])?$/.test(text) && text.length <= 63;
}
