/** Metrics on the way, the runs in one drawing each. */
import { useMemo } from "preact/hooks";
import type { Comparison } from "../../api/types";
import { Chart } from "../../ui/chart/Chart";
import { plural } from "../../ui/format";
import { seriesRows } from "./rows";
import { lines } from "./specs";

const MOST = 12;

export function SeriesCharts({ comparison, names }: { comparison: Comparison; names: readonly string[] }) {
  // What a single run has said is not compared with anything.
  const shared = comparison.series.filter((series) => series.runs.filter(Boolean).length > 1);
  const drawn = useMemo(
    () =>
      shared.slice(0, MOST).flatMap((series) => {
        const rows = seriesRows(series, names);
        return rows.length
          ? [
              {
                key: `${series.task} ${series.name}`,
                title: `${series.name} of ${series.task}`,
                rows,
                spec: lines(rows, series.name, names),
              },
            ]
          : [];
      }),
    [comparison, names],
  );
  if (drawn.length === 0) return null;
  return (
    <section class="stack" aria-labelledby="compare-series">
      <h2 id="compare-series">Metrics on the way</h2>
      {shared.length > MOST && (
        <p class="muted">
          The first {MOST} of {plural(shared.length, "metric")}.
        </p>
      )}
      <div class="compare-charts">
        {drawn.map(({ key, title, rows, spec }) => (
          <div key={key} class="card compare-chart">
            <Chart
              title={title}
              description={`A line for each of ${plural(new Set(rows.map((row) => row.run)).size, "run")}.`}
              columns={[
                { field: "run", label: "Run" },
                { field: "step", label: "Step" },
                { field: "value", label: "Value" },
              ]}
              rows={rows}
              spec={spec}
            />
          </div>
        ))}
      </div>
    </section>
  );
}
