/** Runs beside each other: what is shown of what the server tells, and the numbers of their charts. Pure. */
import type { Artifact, CompareRow, CompareSeries, Comparison } from "../../api/types";

type Kind = CompareRow["kind"];

/** The kinds of rows in the order in which they are shown, with their headings. */
export const HEADINGS: readonly (readonly [Kind, string])[] = [
  ["phase", "How they ended"],
  ["metric", "Metrics"],
  ["param", "Parameters"],
  ["output", "Outputs"],
  ["input", "Inputs"],
  ["code", "Code"],
  ["image", "Images"],
  ["step", "Tasks that only some have"],
  ["spec", "The workflow as written"],
];

export interface Section {
  readonly kind: Kind;
  readonly heading: string;
  readonly rows: readonly CompareRow[];
}

/** What there is, by kind; `text` has to be in a row's place or in one of its values. */
export function sectionsOf(rows: readonly CompareRow[], text: string): Section[] {
  const wanted = text.trim().toLowerCase();
  const fits = (row: CompareRow) =>
    !wanted ||
    row.where.toLowerCase().includes(wanted) ||
    row.values.some((value) => written(value).toLowerCase().includes(wanted));
  return HEADINGS.map(([kind, heading]) => ({
    kind,
    heading,
    rows: rows.filter((row) => row.kind === kind && fits(row)),
  })).filter((section) => section.rows.length > 0);
}

export function written(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(Number(value.toPrecision(6)));
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** By how much a number is above or below that of the first run; empty for what is no number or the same. */
export function change(first: unknown, value: unknown): string {
  if (typeof first !== "number" || typeof value !== "number" || first === value) return "";
  const by = value - first;
  return `${by > 0 ? "+" : "−"}${Number(Math.abs(by).toPrecision(3))}`;
}

export function isDigest(value: unknown): value is string {
  return typeof value === "string" && /^sha256:[0-9a-f]{64}$/.test(value);
}

export interface SeriesRow {
  readonly [name: string]: unknown;
  readonly run: string;
  readonly step: number;
  readonly value: number;
}

export function seriesRows(series: CompareSeries, names: readonly string[]): SeriesRow[] {
  return series.runs.flatMap((points, at) =>
    (points ?? []).flatMap(([step, value]) => (value === null ? [] : [{ run: names[at] as string, step, value }])),
  );
}

/** What runs are called beside each other: their ids, with the namespace where they are of several. */
export function namesOf({ runs }: Comparison): string[] {
  const isOne = new Set(runs.map((run) => run.namespace)).size === 1;
  return runs.map((run) => (isOne ? run.id : `${run.namespace}/${run.id}`));
}

export interface PictureRow {
  readonly where: string;
  /** Of each run, null where it has left none. */
  readonly artifacts: readonly (Artifact | null)[];
}

/** Larger files are no pictures to be put beside each other. */
const LARGEST = 5 * 1024 * 1024;

/** What may be pictures, and at least two runs have left under the same name: a name without an ending does not tell. */
export function picturesOf(left: readonly (readonly Artifact[])[]): PictureRow[] {
  const pictures = left.map(
    (rows) =>
      new Map(
        rows
          .filter((one) => (one.looks === "image" || one.looks === "") && one.attempt === null && one.size <= LARGEST)
          .map((one) => [`${one.task}.${one.name}`, one]),
      ),
  );
  const names = [...new Set(pictures.flatMap((named) => [...named.keys()]))].sort();
  return names
    .map((where) => ({ where, artifacts: pictures.map((named) => named.get(where) ?? null) }))
    .filter(({ artifacts }) => artifacts.filter(Boolean).length > 1)
    .toSorted((one, other) => Number(isPicture(other)) - Number(isPicture(one)));
}

function isPicture({ artifacts }: PictureRow): boolean {
  return artifacts.some((one) => one?.looks === "image");
}
