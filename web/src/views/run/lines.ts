/** The lines of a log that grows: pure. Of a log without end the last are kept. */
import { visible } from "../../ui/format";

export const MOST_LINES = 50_000;
const MOST_CHARACTERS = 4_000;

export interface Lines {
  /** Without the one that has no end yet. */
  readonly whole: readonly string[];
  readonly begun: string;
  /** Lines that were dropped at the beginning. */
  readonly dropped: number;
}

export const NONE: Lines = { whole: [], begun: "", dropped: 0 };

export function appended(lines: Lines, text: string): Lines {
  const parts = (lines.begun + text).split("\n");
  const begun = parts.pop() ?? "";
  const whole = parts.length > 0 ? [...lines.whole, ...parts.map(shown)] : lines.whole;
  const over = Math.max(0, whole.length - MOST_LINES);
  return { whole: over > 0 ? whole.slice(over) : whole, begun, dropped: lines.dropped + over };
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what colours of a terminal are
const COLOURS = /\u001b\[[0-9;?]*[A-Za-z]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)?/g;

/** A line as it is shown: without a terminal's colours, what a progress bar has written over itself as it was last, everything else that hides made visible. */
export function shown(line: string): string {
  const plain = line.replace(COLOURS, "").replace(/\r+$/, "");
  const last = plain.slice(plain.lastIndexOf("\r") + 1);
  const text = visible(last);
  return text.length > MOST_CHARACTERS
    ? `${text.slice(0, MOST_CHARACTERS)}… (${text.length.toLocaleString("en-US")} characters)`
    : text;
}

/** Indices of the lines that hold all of a text, whatever its case. */
export function found(lines: readonly string[], text: string): readonly number[] {
  const wanted = text.toLowerCase();
  return wanted ? lines.flatMap((line, index) => (line.toLowerCase().includes(wanted) ? [index] : [])) : [];
}
