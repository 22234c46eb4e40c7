/** A metric of several runs as Vega-Lite. Pure. */
import type { TopLevelSpec } from "vega-lite";
import type { Theme } from "../../ui/chart/theme";
import type { SeriesRow } from "./rows";

export function lines(
  rows: readonly SeriesRow[],
  metric: string,
  runs: readonly string[],
): (theme: Theme) => TopLevelSpec {
  return (theme) => ({
    data: { values: [...rows] },
    height: 200,
    mark: { type: "line", point: { size: 30 }, strokeWidth: 2 },
    encoding: {
      x: {
        field: "step",
        type: "quantitative",
        title: "Step",
        axis: { tickMinStep: 1, format: "~d", grid: false },
        scale: { zero: false, nice: false },
      },
      y: { field: "value", type: "quantitative", title: metric, scale: { zero: false } },
      color: {
        field: "run",
        type: "nominal",
        title: null,
        scale: { domain: [...runs], range: [...theme.kinds] },
        legend: LEGEND,
      },
      strokeDash: {
        field: "run",
        type: "nominal",
        title: null,
        legend: LEGEND,
        scale: { domain: [...runs], range: DASHES },
      },
      tooltip: [
        { field: "run", title: "run" },
        { field: "step", title: "step" },
        { field: "value", title: metric, format: ".6~g" },
      ],
    },
  });
}

const LEGEND = { orient: "top" as const, columns: 3, symbolType: "stroke", symbolSize: 300 };
/** Runs are told apart by more than their colour. */
const DASHES = [
  [1, 0],
  [6, 3],
  [2, 2],
  [8, 2, 2, 2],
  [4, 4],
  [10, 3],
  [1, 3],
  [6, 2, 2, 2, 2, 2],
];
