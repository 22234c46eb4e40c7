/** The colours and letters of a chart, taken from the page's tokens, so that charts follow light and dark as everything else does. */
import type { Config } from "vega-lite";
import { token } from "../../app/theme";

export interface Theme {
  readonly text: string;
  readonly muted: string;
  readonly line: string;
  readonly accent: string;
  readonly good: string;
  readonly bad: string;
  readonly warn: string;
  readonly gone: string;
  readonly font: string;
  /** Colours of kinds that have no order. */
  readonly kinds: readonly string[];
}

/** The theme of now. */
export function chartTheme(): Theme {
  return {
    text: token("--text"),
    muted: token("--text-3"),
    line: token("--line"),
    accent: token("--chart-1"),
    good: token("--good-mark"),
    bad: token("--bad-mark"),
    warn: token("--warn-mark"),
    gone: token("--gone-mark"),
    font: token("--font"),
    kinds: [1, 2, 3, 4, 5, 6, 7, 8].map((at) => token(`--chart-${at}`)),
  };
}

/** What Vega-Lite is to draw by, unless a spec says otherwise. */
export function configOf(theme: Theme): Config {
  const words = { labelColor: theme.muted, titleColor: theme.text, labelFont: theme.font, titleFont: theme.font };
  return {
    background: "transparent",
    font: theme.font,
    view: { stroke: null },
    axis: {
      ...words,
      domainColor: theme.line,
      gridColor: theme.line,
      tickColor: theme.line,
      labelFontSize: 12,
      titleFontSize: 12,
      titleFontWeight: 500,
      labelLimit: 160,
      labelSeparation: 8,
      labelOverlap: "greedy",
    },
    axisXQuantitative: { tickCount: { expr: "max(2, ceil(width / 90))" } },
    legend: { ...words, labelFontSize: 12, titleFontSize: 12, labelLimit: 220, symbolStrokeWidth: 2 },
    mark: { color: theme.accent },
    range: { category: [...theme.kinds] },
  };
}
