/** The charts of a search as Vega-Lite, and the rows that they show. Pure. */
import type { TopLevelSpec } from "vega-lite";
import type { Theme } from "../../ui/chart/theme";
import { axisOf, bestSoFar, type Dimension, lastValue, type Objective, type Trial, valued, written } from "./model";

export interface HistoryRow {
  readonly [name: string]: unknown;
  readonly trial: number;
  readonly value: number;
  readonly outcome: string;
  readonly best: number | null;
  readonly task: string;
}

/** A row for each trial that has said a value: what it left, or the last that it said. `best` is the best value up to it. */
export function historyRows(trials: readonly Trial[], objective: Objective): HistoryRow[] {
  const steps = bestSoFar(trials, objective);
  let at = -1;
  const rows: HistoryRow[] = [];
  for (const trial of [...trials].sort((one, other) => one.number - other.number)) {
    while (at + 1 < steps.length && (steps[at + 1]?.trial as number) <= trial.number) at++;
    const value = lastValue(trial, objective.name);
    if (value !== null)
      rows.push({
        trial: trial.number,
        value,
        outcome: trial.outcome,
        best: steps[at]?.value ?? null,
        task: trial.task,
      });
  }
  return rows;
}

/** Colours of how trials ended. */
function outcomeScale(theme: Theme) {
  const colours: Record<string, string> = {
    Succeeded: theme.accent,
    Pruned: theme.warn,
    Failed: theme.bad,
    Running: theme.good,
    Cancelled: theme.muted,
  };
  return { domain: Object.keys(colours), range: Object.values(colours) };
}

const value = (rows: readonly { readonly value: number }[], title: string) => ({
  field: "value",
  type: "quantitative" as const,
  title,
  scale: scaleOf(axisOf(rows.map((row) => row.value))),
});

/** Zero is on an axis only where it would be anyway. */
function scaleOf(kind: "linear" | "log", padding = 0) {
  return kind === "log" ? { type: kind, padding } : { type: kind, zero: false, nice: true, padding };
}

const trialAxis = {
  field: "trial",
  type: "quantitative" as const,
  title: "Trial",
  axis: { tickMinStep: 1, format: "d", grid: false },
  scale: { padding: 10, nice: false, zero: false },
};

export function history(rows: readonly HistoryRow[], metric: string): (theme: Theme) => TopLevelSpec {
  const y = value(rows, metric);
  return (theme) => ({
    data: { values: [...rows] },
    height: 260,
    encoding: { x: trialAxis },
    layer: [
      {
        transform: [{ filter: "isValid(datum.best)" }],
        mark: { type: "line", interpolate: "step-after", strokeWidth: 2, color: theme.accent, opacity: 0.7 },
        encoding: { y: { ...y, field: "best" } },
      },
      {
        mark: { type: "point", filled: true, size: 64, opacity: 0.9 },
        encoding: {
          y,
          color: { field: "outcome", type: "nominal", title: null, scale: outcomeScale(theme), legend: present(rows) },
          shape: {
            field: "outcome",
            type: "nominal",
            title: null,
            scale: {
              domain: outcomeScale(theme).domain,
              range: ["circle", "triangle-down", "cross", "diamond", "square"],
            },
            legend: present(rows),
          },
          tooltip: [
            { field: "trial", title: "trial" },
            { field: "value", title: metric, format: ".6~g" },
            { field: "outcome", title: "ended" },
          ],
        },
      },
    ],
  });
}

/** A legend of the outcomes that there are; none for a single one. */
function present(rows: readonly { readonly outcome: string }[]) {
  const values = [...new Set(rows.map((row) => row.outcome))];
  return values.length > 1 ? { orient: "top" as const, values } : null;
}

export interface CurveRow {
  readonly [name: string]: unknown;
  readonly trial: number;
  readonly step: number;
  readonly value: number;
  readonly outcome: string;
  readonly task: string;
  readonly end: boolean;
}

/** Trials whose curves are shown at once: the newest. */
const MOST_CURVES = 200;

export function curveRows(trials: readonly Trial[], metric: string): CurveRow[] {
  const curve = (trial: Trial) =>
    (trial.curves[metric] ?? []).filter((point): point is readonly [number, number] => point[1] !== null);
  const told = trials.filter((trial) => curve(trial).length > 0).slice(-MOST_CURVES);
  return told.flatMap((trial) => {
    const points = curve(trial);
    return points.map(([step, said], at) => ({
      trial: trial.number,
      step,
      value: said,
      outcome: trial.outcome,
      task: trial.task,
      end: at === points.length - 1,
    }));
  });
}

export function curves(rows: readonly CurveRow[], metric: string): (theme: Theme) => TopLevelSpec {
  const y = value(rows, metric);
  return (theme) => {
    const color = {
      field: "outcome",
      type: "nominal" as const,
      title: null,
      scale: outcomeScale(theme),
      legend: present(rows),
    };
    const tooltip = [
      { field: "trial", title: "trial" },
      { field: "step", title: "step" },
      { field: "value", title: metric, format: ".6~g" },
      { field: "outcome", title: "ended" },
    ];
    return {
      data: { values: [...rows] },
      height: 260,
      encoding: {
        x: {
          field: "step",
          type: "quantitative",
          title: "Step",
          axis: { tickMinStep: 1, format: "~d", grid: false },
          scale: { zero: false, nice: false },
        },
        y,
        color,
        tooltip,
      },
      layer: [
        { mark: { type: "line", strokeWidth: 1.5, opacity: 0.65 }, encoding: { detail: { field: "trial" } } },
        {
          transform: [{ filter: "datum.end" }],
          mark: { type: "point", filled: true, size: 45 },
          encoding: {
            shape: {
              field: "outcome",
              type: "nominal",
              title: null,
              legend: present(rows),
              scale: {
                domain: outcomeScale(theme).domain,
                range: ["circle", "triangle-down", "cross", "diamond", "square"],
              },
            },
          },
        },
      ],
    };
  };
}

export interface Share {
  readonly [name: string]: unknown;
  readonly param: string;
  readonly share: number;
}

/** What each parameter has in it, the greatest first. */
export function shareRows(shares: Readonly<Record<string, number>> | undefined): Share[] {
  return Object.entries(shares ?? {})
    .map(([param, share]) => ({ param, share }))
    .sort((one, other) => other.share - one.share || (one.param < other.param ? -1 : 1));
}

export function importances(rows: readonly Share[]): (theme: Theme) => TopLevelSpec {
  const y = {
    field: "param",
    type: "nominal" as const,
    title: null,
    sort: null,
    axis: { domain: false, ticks: false, labelLimit: 180, labelPadding: 8 },
  };
  return (theme) => ({
    data: { values: [...rows] },
    height: 28 * Math.max(rows.length, 1),
    encoding: { y },
    layer: [
      {
        mark: { type: "bar", cornerRadiusEnd: 3, color: theme.accent, height: 16 },
        encoding: {
          x: {
            field: "share",
            type: "quantitative",
            title: "Share of the difference",
            axis: { format: ".0%", tickCount: 5 },
            scale: { domain: [0, 1] },
          },
        },
      },
      {
        mark: { type: "text", align: "left", dx: 5, color: theme.text },
        encoding: { x: { field: "share", type: "quantitative" }, text: { field: "share", format: ".0%" } },
      },
    ],
  });
}

export interface SliceRow {
  readonly [name: string]: unknown;
  readonly trial: number;
  readonly at: string | number;
  readonly value: number;
  readonly task: string;
}

/** A row for each trial that counts and has the parameter. */
export function sliceRows(trials: readonly Trial[], metric: string, dimension: Dimension): SliceRow[] {
  return valued(trials, metric)
    .filter((trial) => trial.params[dimension.name] !== undefined)
    .map((trial) => {
      const given = trial.params[dimension.name];
      const at = dimension.kind === "choice" || typeof given !== "number" ? written(given) : given;
      return { trial: trial.number, at, value: trial.values[metric] as number, task: trial.task };
    });
}

export function slice(rows: readonly SliceRow[], metric: string, dimension: Dimension): (theme: Theme) => TopLevelSpec {
  const isChoice = dimension.kind === "choice";
  const isWhole = rows.every((row) => Number.isInteger(row.at));
  const y = value(rows, metric);
  return (theme) => ({
    data: { values: [...rows] },
    height: 180,
    mark: { type: "point", filled: true, size: 56, color: theme.accent },
    encoding: {
      x: isChoice
        ? {
            field: "at",
            type: "nominal",
            title: dimension.name,
            sort: dimension.values.map(written),
            axis: { labelAngle: 0, labelLimit: 90, grid: false },
          }
        : {
            field: "at",
            type: "quantitative",
            title: dimension.name,
            scale: scaleOf(dimension.kind === "log" ? "log" : "linear", 8),
            axis: { grid: false, tickCount: 4, tickMinStep: isWhole ? 1 : undefined, format: "~g" },
          },
      y,
      opacity: { field: "trial", type: "quantitative", legend: null, scale: { range: [0.35, 0.95] } },
      tooltip: [
        { field: "trial", title: "trial" },
        { field: "at", title: dimension.name },
        { field: "value", title: metric, format: ".6~g" },
      ],
    },
  });
}

export interface FrontRow {
  readonly [name: string]: unknown;
  readonly trial: number;
  readonly across: number;
  readonly up: number;
  readonly stands: string;
  readonly task: string;
}

export const ON_FRONT = "no trial is better in both";
export const BEATEN = "beaten";

export function frontRows(trials: readonly Trial[], across: string, up: string, pareto: readonly number[]): FrontRow[] {
  return valued(valued(trials, across), up).map((trial) => ({
    trial: trial.number,
    across: trial.values[across] as number,
    up: trial.values[up] as number,
    stands: pareto.includes(trial.number) ? ON_FRONT : BEATEN,
    task: trial.task,
  }));
}

export function front(rows: readonly FrontRow[], across: Objective, up: Objective): (theme: Theme) => TopLevelSpec {
  const axis = (field: "across" | "up", objective: Objective) => ({
    field,
    type: "quantitative" as const,
    title: `${objective.name} (${objective.goal})`,
    scale: scaleOf(axisOf(rows.map((row) => row[field])), 8),
  });
  return (theme) => ({
    data: { values: [...rows] },
    height: 300,
    encoding: { x: axis("across", across), y: axis("up", up) },
    layer: [
      {
        transform: [{ filter: { field: "stands", equal: ON_FRONT } }],
        mark: { type: "line", color: theme.accent, opacity: 0.5, interpolate: "linear" },
        encoding: { order: { field: "across" } },
      },
      {
        mark: { type: "point", filled: true, size: 70 },
        encoding: {
          color: {
            field: "stands",
            type: "nominal",
            title: null,
            scale: { domain: [ON_FRONT, BEATEN], range: [theme.accent, theme.muted] },
            legend: { orient: "top" },
          },
          shape: {
            field: "stands",
            type: "nominal",
            title: null,
            scale: { domain: [ON_FRONT, BEATEN], range: ["diamond", "circle"] },
            legend: { orient: "top" },
          },
          tooltip: [
            { field: "trial", title: "trial" },
            { field: "across", title: across.name, format: ".6~g" },
            { field: "up", title: up.name, format: ".6~g" },
          ],
        },
      },
    ],
  });
}
