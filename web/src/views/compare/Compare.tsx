/** Two or more runs beside each other: only what differs, unless all is asked for. The address names the runs: `runs=ml/iris,ml/iris-2`. */
import { useMemo, useState } from "preact/hooks";
import { get } from "../../api/client";
import type { Comparison } from "../../api/types";
import { refine, to } from "../../app/router";
import type { ViewProps } from "../../app/view";
import { Phase } from "../../ui/badge";
import { Button } from "../../ui/button";
import { clock, lasted, plural } from "../../ui/format";
import { Icon } from "../../ui/icons";
import { useResource } from "../../ui/resource";
import { Empty, Failure, Loading, Notice } from "../../ui/states";
import { Picker } from "./Picker";
import { Pictures } from "./Pictures";
import { Rows } from "./Rows";
import { namesOf, sectionsOf } from "./rows";
import { SeriesCharts } from "./SeriesCharts";
import "./compare.css";

export const MOST_RUNS = 8;

export default function Compare({ query }: ViewProps) {
  const runs = (query.runs ?? "").split(",").filter(Boolean);
  const all = query.all === "1";
  const comparison = useResource(runs.length > 1 ? `${runs.join()} ${all}` : null, (signal) =>
    get<Comparison>("compare", { run: runs, all }, signal),
  );
  const choose = (next: readonly string[]) => refine({ runs: next.join() });
  return (
    <div class="stack">
      <div class="title">
        <h1 class="grow">Compare runs</h1>
        <Button
          icon="plus"
          disabled={runs.length >= MOST_RUNS}
          onClick={() => document.getElementById("compare-pick")?.focus()}
        >
          Add a run
        </Button>
      </div>
      <Picker chosen={runs} choose={choose} />
      {runs.length < 2 ? (
        <Empty
          title={runs.length === 0 ? "Choose two runs" : "Choose one more run"}
          next="Their parameters, metrics, data, code and pictures stand beside each other here. In the list of runs you can tick several, too."
          icon="compare"
        />
      ) : comparison.data ? (
        <Known comparison={comparison.data} all={all} />
      ) : comparison.error ? (
        <Failure error={comparison.error} again={comparison.reload} />
      ) : (
        <Loading label="Reading the records" />
      )}
    </div>
  );
}

function Known({ comparison, all }: { comparison: Comparison; all: boolean }) {
  const [text, setText] = useState("");
  const names = useMemo(() => namesOf(comparison), [comparison]);
  const sections = useMemo(() => sectionsOf(comparison.rows, text), [comparison, text]);
  // How they ended, their metrics and parameters come first; then the pictures of it; then what it follows from.
  const first = sections.filter(({ kind }) => kind === "phase" || kind === "metric" || kind === "param").length;
  const isSame = !comparison.rows.some((row) => row.differs);
  return (
    <>
      <Heads comparison={comparison} names={names} />
      <div class="row wrap">
        <label class="search compare-search">
          <span class="unseen">Filter rows</span>
          <Icon name="search" />
          <input
            class="input"
            type="search"
            placeholder="accuracy, max_depth, …"
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
          />
        </label>
        <label class="row compare-all">
          <input
            type="checkbox"
            checked={!all}
            onChange={(event) => refine({ all: event.currentTarget.checked ? "" : "1" })}
          />
          Only differences
        </label>
      </div>
      {comparison.leftOut > 0 && <Notice tone="warn">{plural(comparison.leftOut, "row")} more are left out.</Notice>}
      {isSame && <Notice tone="good">These runs do not differ: same parameters, data, code and results.</Notice>}
      {sections.length === 0 && !isSame && <Empty title="No row fits" next="Change the filter." icon="search" />}
      {sections.slice(0, first).map((section) => (
        <Rows key={section.kind} section={section} names={names} runs={comparison.runs} />
      ))}
      <SeriesCharts comparison={comparison} names={names} />
      <Pictures comparison={comparison} names={names} />
      {sections.slice(first).map((section) => (
        <Rows key={section.kind} section={section} names={names} runs={comparison.runs} />
      ))}
    </>
  );
}

function Heads({ comparison, names }: { comparison: Comparison; names: readonly string[] }) {
  return (
    <ul class="compare-heads">
      {comparison.runs.map((run, at) => (
        <li key={run.uid} class="card compare-head">
          <span class={`compare-mark compare-mark-${at + 1}`} aria-hidden="true" />
          <a class="clip" href={to("run", { namespace: run.namespace, run: run.id })}>
            <bdi>{names[at]}</bdi>
          </a>
          <Phase phase={run.phase} />
          <span class="muted">
            {clock(run.started)}
            {run.finished !== null && `, took ${lasted(run.started, run.finished, run.finished)}`}
          </span>
        </li>
      ))}
    </ul>
  );
}
