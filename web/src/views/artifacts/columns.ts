/** What is told of a table's column in one line, and its distribution as bars. Pure. */
import type { TableColumn } from "../../api/types";
import { number, plural } from "../../ui/format";

export interface Bar {
  /** From 0 to 1, of the highest. */
  readonly height: number;
  readonly label: string;
}

/** Bars of a histogram from the least value to the greatest, or of the most frequent values. */
export function barsOf({ stats }: TableColumn): Bar[] {
  if (stats.histogram.length) {
    const highest = Math.max(...stats.histogram, 1);
    const [low, high] = [Number(stats.min), Number(stats.max)];
    const width = (high - low) / stats.histogram.length;
    return stats.histogram.map((count, at) => ({
      height: count / highest,
      label: `${number(low + at * width)} to ${number(low + (at + 1) * width)}: ${count}`,
    }));
  }
  const highest = Math.max(...stats.top.map(([, count]) => count), 1);
  return stats.top.map(([value, count]) => ({ height: count / highest, label: `${shown(value)}: ${count}` }));
}

/** Range and mean of numbers, else how many values there are. */
export function summaryOf({ stats }: TableColumn): readonly [string, string] {
  if (stats.mean !== null) return [`${shown(stats.min)} to ${shown(stats.max)}`, `mean ${number(stats.mean)}`];
  if (stats.distinct !== null) return [plural(stats.distinct, "value"), ""];
  return [stats.top.length ? "over 10,000 values" : "", ""];
}

/** The share of rows without a value, as a person would say it; empty where there are none. */
export function missingOf({ stats }: TableColumn, rows: number): string {
  if (!stats.nulls || !rows) return "";
  const share = (100 * stats.nulls) / rows;
  return share < 0.1 ? "<0.1 % missing" : `${share >= 10 ? Math.round(share) : Number(share.toFixed(1))} % missing`;
}

/** A cell of a table as text; null for what is not there. */
export function shown(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (typeof value === "number") return number(value);
  return typeof value === "string" ? value : JSON.stringify(value);
}
