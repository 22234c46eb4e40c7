/** What an attempt has measured, as it comes. */
import { useEffect, useMemo, useState } from "preact/hooks";
import type { Metrics as Measured, Problem, Series } from "../../api/types";
import { listen } from "../../app/live";
import { Chart } from "../../ui/chart/Chart";
import { number, plural, visible } from "../../ui/format";
import { Empty, Failure, Loading } from "../../ui/states";
import { type Column, Table } from "../../ui/table";
import { Text } from "../../ui/text";
import { curve } from "./curve";
import type { LogProps } from "./Log";
import { useSlow } from "./Timeline";

const MOST_CURVES = 8;

interface Row {
  readonly name: string;
  readonly last: number | null;
  readonly series: Series | undefined;
}

const COLUMNS: readonly Column<Row>[] = [
  { id: "name", label: "Metric", sortBy: (row) => row.name, cell: (row) => <Text text={row.name} title /> },
  { id: "last", label: "Last", width: "110px", end: true, cell: (row) => number(row.last) },
  {
    id: "least",
    label: "Least",
    width: "110px",
    end: true,
    wide: true,
    cell: (row) => number(extreme(row.series, Math.min)),
  },
  {
    id: "most",
    label: "Most",
    width: "110px",
    end: true,
    wide: true,
    cell: (row) => number(extreme(row.series, Math.max)),
  },
  { id: "count", label: "Values", width: "84px", end: true, cell: (row) => number(row.series?.total ?? 1) },
];

export function Metrics({ last, ...which }: LogProps & { last: Readonly<Record<string, number>> }) {
  const { metrics, problem } = useMetrics(which);
  if (!metrics) return problem ? <Failure error={problem} /> : <Loading label="Reading the metrics" />;
  const series = new Map(metrics.series.map((each) => [each.name, each]));
  const rows = [...new Set([...series.keys(), ...Object.keys(last)])].map((name) => ({
    name,
    series: series.get(name),
    last: series.get(name)?.points.at(-1)?.[1] ?? last[name] ?? null,
  }));
  if (rows.length === 0)
    return (
      <Empty
        icon="chart"
        title="Nothing measured yet"
        next="Lines that the step appends to $MLWF_METRICS show up here as they come."
      />
    );
  return (
    <div class="stack">
      <Curves series={metrics.series} />
      <Table label="Metrics" columns={COLUMNS} rows={rows} keyOf={(row) => row.name} />
      {!metrics.isFinal && (
        <p class="muted" role="status">
          Live: values come as the step sends them.
        </p>
      )}
    </div>
  );
}

/** The first metrics that have more than one value, each drawn anew once a second at most. */
function Curves({ series }: { series: readonly Series[] }) {
  const slow = useSlow(series, 1_000);
  const drawn = useMemo(
    () =>
      slow
        .filter((each) => each.points.length > 1)
        .slice(0, MOST_CURVES)
        .map((each) => ({ ...each, ...curve(each) })),
    [slow],
  );
  const left = series.filter((each) => each.points.length > 1).length - drawn.length;
  return (
    <>
      {drawn.map(({ name, total, rows, spec }) => (
        <Chart
          key={name}
          title={visible(name)}
          description={`${plural(total, "value")}${total > rows.length ? `, ${rows.length.toLocaleString("en-US")} of them drawn` : ""}.`}
          columns={[
            { field: "step", label: "Step" },
            { field: "value", label: "Value" },
          ]}
          rows={rows}
          spec={spec}
        />
      ))}
      {left > 0 && <p class="muted">{plural(left, "more metric")} in the table below.</p>}
    </>
  );
}

/** Events hold what is new of a series: it is put behind what there is, from its first step on. */
export function joined(before: readonly Series[], news: readonly Series[]): readonly Series[] {
  const all = new Map(before.map((series) => [series.name, series]));
  for (const series of news) {
    const old = all.get(series.name);
    const from = series.points[0]?.[0] ?? Number.POSITIVE_INFINITY;
    all.set(
      series.name,
      old ? { ...series, points: [...old.points.filter(([step]) => step < from), ...series.points] } : series,
    );
  }
  return [...all.values()];
}

export function useMetrics({ namespace, run, task, attempt }: LogProps): {
  metrics: Measured | undefined;
  problem: Problem | undefined;
} {
  const [metrics, set] = useState<Measured>();
  const [problem, setProblem] = useState<Problem>();
  useEffect(() => {
    set(undefined);
    let isNew = true;
    return listen(
      "run/metrics/events",
      { namespace, run, task, attempt },
      {
        on: {
          metrics: (news: Measured) => {
            const anew = isNew;
            isNew = false;
            set((old) => (anew || !old ? news : { ...news, series: [...joined(old.series, news.series)] }));
          },
          end: () => undefined,
        },
        ends: ["end"],
        onAgain: () => {
          isNew = true;
        },
        onProblem: setProblem,
      },
    );
  }, [namespace, run, task, attempt]);
  return { metrics, problem };
}

function extreme(series: Series | undefined, choose: (...values: number[]) => number): number | null {
  const values = (series?.points ?? []).map(([, value]) => value).filter((value) => value !== null);
  return values.length > 0 ? values.reduce((a, b) => choose(a, b)) : null;
}
