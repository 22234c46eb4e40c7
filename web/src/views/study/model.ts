/** A search as its view sees it: how trials ended, what was best when, the range of each parameter. Pure. */
import type { Objective, Study } from "../../api/types";

export type { Objective };
export type Json = unknown;

export interface Trial {
  readonly number: number;
  /** The id of the task that the trial is. */
  readonly task: string;
  /** `Pruned` for one that was stopped because it did not look promising; else a phase. */
  readonly outcome: string;
  readonly reason: string;
  /** Why it failed, if it did. */
  readonly message: string;
  readonly params: Readonly<Record<string, Json>>;
  readonly values: Readonly<Record<string, number>>;
  /** What it said on the way of each objective: [step, value], null where that was no finite number. */
  readonly curves: Readonly<Record<string, readonly (readonly [number, number | null])[]>>;
  /** How long it ran; null while it has not ended. */
  readonly seconds: number | null;
  readonly cached: boolean;
}

/** A parameter of the space. A choice has its values in their order. */
export interface Dimension {
  readonly name: string;
  readonly kind: "number" | "log" | "choice";
  readonly values: readonly Json[];
}

/** The trials of a search, which the server tells as columns. */
export function trialsOf(study: Study): Trial[] {
  return study.number.map((number, at) => {
    const [phase, reason] = [study.phase[at] as string, study.reason[at] as string];
    const [started, finished] = [study.started[at] ?? null, study.finished[at] ?? null];
    return {
      number,
      task: study.tasks[at] as string,
      outcome: reason === "Pruned" ? reason : phase,
      reason,
      message: study.message[at] ?? "",
      params: picked(study.params, at),
      values: picked(study.values, at) as Record<string, number>,
      curves: Object.fromEntries(
        Object.entries(study.curves).map(([metric, told]) => [metric, told[String(number)] ?? []]),
      ),
      seconds: started === null || finished === null ? null : (finished - started) / 1000,
      cached: study.cached[at] ?? false,
    };
  });
}

function picked(columns: Readonly<Record<string, readonly unknown[]>>, at: number): Record<string, unknown> {
  const pairs = Object.entries(columns).map(([name, column]) => [name, column[at]] as const);
  return Object.fromEntries(pairs.filter(([, value]) => value !== null && value !== undefined));
}

/** The parameters that trials differ in. */
export function dimensionsOf(study: Study): Dimension[] {
  return study.space
    .filter((dimension) => dimension.kind !== "fixed")
    .map(({ name, kind, log, choices }) => ({
      name,
      kind: kind === "choice" ? kind : log ? "log" : "number",
      values: choices,
    }));
}

/** Trials that count: those that ended well and left the metric. */
export function valued(trials: readonly Trial[], metric: string): Trial[] {
  return trials.filter((trial) => trial.outcome === "Succeeded" && Number.isFinite(trial.values[metric]));
}

/** The value of a metric that a trial is known by: what it left, else, of one that was stopped or still runs, the last that it said. */
export function lastValue(trial: Trial, metric: string): number | null {
  const left = trial.values[metric];
  if (left !== undefined && Number.isFinite(left)) return left;
  return (trial.curves[metric] ?? []).reduce<number | null>((last, [, value]) => value ?? last, null);
}

export interface Step {
  readonly trial: number;
  readonly value: number;
}

/** The trials that were better than all before them, in the order of their numbers. */
export function bestSoFar(trials: readonly Trial[], objective: Objective): Step[] {
  const found: Step[] = [];
  for (const trial of valued(trials, objective.name).sort((one, other) => one.number - other.number)) {
    const value = trial.values[objective.name] as number;
    const last = found.at(-1);
    if (!last || isBetter(objective, value, last.value)) found.push({ trial: trial.number, value });
  }
  return found;
}

export function isBetter(objective: Objective, one: number, other: number): boolean {
  return objective.goal === "maximize" ? one > other : one < other;
}

/** The trials that count, the best first. */
export function ranked(trials: readonly Trial[], objective: Objective): Trial[] {
  const sign = objective.goal === "maximize" ? -1 : 1;
  return valued(trials, objective.name).sort(
    (one, other) =>
      sign * ((one.values[objective.name] as number) - (other.values[objective.name] as number)) ||
      one.number - other.number,
  );
}

/** How many trials ended how, the most frequent first. */
export function outcomes(trials: readonly Trial[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const { outcome } of trials) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  return [...counts].sort((one, other) => other[1] - one[1]);
}

/** How many times the least value is the greatest, where an axis becomes logarithmic. */
const POWERS = 300;

/** The kind of axis on which values can be told apart. */
export function axisOf(values: readonly number[]): "linear" | "log" {
  const finite = values.filter(Number.isFinite);
  const least = Math.min(...finite);
  return finite.length > 1 && least > 0 && Math.max(...finite) / least >= POWERS ? "log" : "linear";
}

/** Any JSON value in one line, text without quotes. */
export function written(value: Json): string {
  if (typeof value === "number") return String(Number(value.toPrecision(6)));
  return typeof value === "string" ? value : (JSON.stringify(value) ?? "–");
}

/** Whether two JSON values are the same: 1 and 1.0 are, 1 and true are not. */
export function isSame(one: Json, other: Json): boolean {
  return one === other || JSON.stringify(one) === JSON.stringify(other);
}
