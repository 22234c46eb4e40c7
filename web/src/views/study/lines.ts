/** Parallel coordinates as geometry: an axis for each parameter and one for the value, a line for each trial. Pure. */
import { axisOf, type Dimension, isSame, type Objective, ranked, type Trial, written } from "./model";

export interface Mark {
  readonly y: number;
  readonly label: string;
}

export interface Axis {
  readonly name: string;
  readonly x: number;
  readonly marks: readonly Mark[];
  /** Where a trial is on it, or null where it does not have the parameter. */
  readonly of: (trial: Trial) => number | null;
}

export interface Line {
  readonly trial: Trial;
  readonly path: string;
  /** 0 for the worst, 1 for the best. */
  readonly rank: number;
}

export interface Frame {
  readonly width: number;
  readonly height: number;
}

/** Lines that are drawn at most: the best. */
export const MOST_LINES = 300;
const TOP = 34;
const BOTTOM = 16;
const SIDE = 56;
const MOST_MARKS = 8;

/** The axes of a search in a frame. */
export function axesOf(
  trials: readonly Trial[],
  space: readonly Dimension[],
  objective: Objective,
  frame: Frame,
): Axis[] {
  const counted = ranked(trials, objective);
  const values = counted.map((trial) => trial.values[objective.name] as number);
  const last: Dimension = { name: objective.name, kind: axisOf(values) === "log" ? "log" : "number", values: [] };
  const between = (frame.width - 2 * SIDE) / Math.max(space.length, 1);
  const low = frame.height - BOTTOM;
  return [
    ...space.map((dimension, at) => {
      const read = (trial: Trial) => trial.params[dimension.name];
      return axis(dimension, counted.map(read), SIDE + at * between, low, read);
    }),
    axis(last, values, frame.width - SIDE, low, (trial) => trial.values[objective.name]),
  ];
}

/** A line for each trial that counts, the worst first, so that the best is drawn over the others. */
export function linesOf(trials: readonly Trial[], axes: readonly Axis[], objective: Objective): Line[] {
  const best = ranked(trials, objective).slice(0, MOST_LINES);
  const lines = best.map((trial, at) => ({
    trial,
    path: pathOf(trial, axes),
    rank: best.length > 1 ? 1 - at / (best.length - 1) : 1,
  }));
  return lines.reverse();
}

function pathOf(trial: Trial, axes: readonly Axis[]): string {
  const points = axes.flatMap((each) => {
    const y = each.of(trial);
    return y === null ? [] : [`${each.x.toFixed(1)} ${y.toFixed(1)}`];
  });
  return points.length ? `M${points.join("L")}` : "";
}

function axis(
  dimension: Dimension,
  values: readonly unknown[],
  x: number,
  low: number,
  read: (trial: Trial) => unknown,
): Axis {
  const places = values.flatMap((value) => placeOf(dimension, value) ?? []);
  let [from, to] =
    dimension.kind === "choice" ? [-0.5, dimension.values.length - 0.5] : [Math.min(...places), Math.max(...places)];
  if (!(to > from)) [from, to] = Number.isFinite(from) ? [from - 0.5, to + 0.5] : [0, 1];
  const y = (place: number) => low - ((place - from) / (to - from)) * (low - TOP);
  return {
    name: dimension.name,
    x,
    marks: marksOf(dimension, from, to).map(([place, label]) => ({ y: y(place), label })),
    of: (trial) => {
      const place = placeOf(dimension, read(trial));
      return place === null ? null : y(place);
    },
  };
}

function placeOf(dimension: Dimension, value: unknown): number | null {
  if (dimension.kind === "choice") {
    const at = dimension.values.findIndex((known) => isSame(known, value));
    return at < 0 ? null : at;
  }
  if (typeof value !== "number" || !Number.isFinite(value)) return null;
  if (dimension.kind === "number") return value;
  return value > 0 ? Math.log10(value) : null;
}

function marksOf(dimension: Dimension, from: number, to: number): [number, string][] {
  if (dimension.kind === "choice") {
    const every = Math.ceil(dimension.values.length / MOST_MARKS);
    return dimension.values
      .map((value, at) => [at, written(value)] as [number, string])
      .filter((_, at) => at % every === 0);
  }
  const back = (place: number) => (dimension.kind === "log" ? 10 ** place : place);
  return [from, (from + to) / 2, to].map((place) => [place, String(Number(back(place).toPrecision(3)))]);
}
