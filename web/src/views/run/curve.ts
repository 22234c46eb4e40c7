/** A metric on the way, as Vega-Lite. Pure. */
import type { TopLevelSpec } from "vega-lite";
import type { Series } from "../../api/types";
import type { Theme } from "../../ui/chart/theme";

export interface Curve {
  readonly rows: readonly { readonly step: number; readonly value: number | null }[];
  readonly spec: (theme: Theme) => TopLevelSpec;
}

/** The line breaks where a value was no finite number. */
export function curve({ name, points }: Series): Curve {
  const rows = points.map(([step, value]) => ({ step, value }));
  const spec = (): TopLevelSpec => ({
    data: { values: [...rows] },
    height: 150,
    mark: {
      type: "line",
      strokeWidth: 2,
      point: points.length < 60 ? { size: 24 } : false,
      invalid: "break-paths-show-domains",
    },
    encoding: {
      x: {
        field: "step",
        type: "quantitative",
        title: null,
        axis: { tickMinStep: 1, format: "~d", grid: false },
        scale: { zero: false, nice: false },
      },
      y: { field: "value", type: "quantitative", title: null, scale: { zero: false } },
      tooltip: [
        { field: "step", title: "step" },
        { field: "value", title: name, format: ".6~g" },
      ],
    },
  });
  return { rows, spec };
}
