/** A search: what was best when, which parameters matter, and every trial. Follows a search that is under way. */
import { useMemo, useState } from "preact/hooks";
import { get } from "../../api/client";
import type { Study as Answer, Objective } from "../../api/types";
import { go, refine, to } from "../../app/router";
import type { ViewProps } from "../../app/view";
import { Badge } from "../../ui/badge";
import { Chart, type Row } from "../../ui/chart/Chart";
import { number, plural } from "../../ui/format";
import { useResource } from "../../ui/resource";
import { Empty, Failure, Loading, Notice } from "../../ui/states";
import { Panel, Tabs } from "../../ui/tabs";
import { Crumbs } from "../shared/Crumbs";
import { useRevision } from "../shared/revision";
import { bestSoFar, dimensionsOf, outcomes, type Trial, trialsOf, written } from "./model";
import { Parallel } from "./Parallel";
import * as specs from "./specs";
import "./study.css";
import { Trials } from "./Trials";

export default function Study({ query }: ViewProps) {
  const { namespace = "", run = "", task = "" } = query;
  const study = useResource(`${namespace} ${run} ${task}`, (signal) =>
    get<Answer>("run/study", { namespace, run, task }, signal),
  );
  useRevision(namespace, run, study.reload);
  const open = (trial: string) => go("run", { namespace, run, task: trial });
  return (
    <div class="stack">
      <Crumbs parts={[[run, to("run", { namespace, run })], [task, to("run", { namespace, run, task })], ["Study"]]} />
      <h1>
        Study of <bdi>{task}</bdi>
      </h1>
      {study.data ? (
        <Known study={study.data} query={query} open={open} />
      ) : study.error ? (
        <Failure error={study.error} again={study.reload} />
      ) : (
        <Loading label="Reading the trials" />
      )}
    </div>
  );
}

function Known({ study, query, open }: { study: Answer; query: ViewProps["query"]; open: (task: string) => void }) {
  const trials = useMemo(() => trialsOf(study), [study]);
  const chosen = study.objectives.find((each) => each.name === query.metric) ?? study.objectives[0];
  if (!chosen) return <Empty title="This step searches for nothing" next="It has no metric." />;
  if (trials.length === 0)
    return (
      <Empty title="No trial yet" next="They appear here as soon as the first one has its parameters." icon="clock" />
    );
  return (
    <>
      <Summary study={study} trials={trials} open={open} />
      {study.unlisted > 0 && (
        <Notice>{plural(study.unlisted, "trial")} of which only the number is known so far.</Notice>
      )}
      {study.objectives.length > 1 ? (
        <>
          <Front study={study} trials={trials} open={open} />
          <Tabs
            label="Objective"
            prefix="objective"
            tabs={study.objectives.map((each, at) => ({ id: String(at), label: each.name }))}
            chosen={String(study.objectives.indexOf(chosen))}
            onChoose={(at) => refine({ metric: study.objectives[Number(at)]?.name })}
          />
          <Panel id={String(study.objectives.indexOf(chosen))} prefix="objective" class="stack">
            <Charts study={study} trials={trials} objective={chosen} open={open} />
          </Panel>
        </>
      ) : (
        <Charts study={study} trials={trials} objective={chosen} open={open} />
      )}
      <Trials study={study} trials={trials} open={open} />
    </>
  );
}

function Summary({ study, trials, open }: { study: Answer; trials: readonly Trial[]; open: (task: string) => void }) {
  const best = trials.find((trial) => trial.number === study.best);
  const first = study.objectives[0] as Objective;
  return (
    <section class="card study-summary" aria-label="Summary">
      <dl class="facts">
        <dt>Search</dt>
        <dd>
          {study.algorithm}
          {study.pruner && `, pruned by ${study.pruner}`}
          {study.ended && ` – ${study.ended}`}
        </dd>
        <dt>After</dt>
        <dd>{study.objectives.map((each) => `${each.goal} ${each.name}`).join(", ")}</dd>
        <dt>Trials</dt>
        <dd class="row wrap">
          <span class="num">
            {trials.length}
            {study.maxTrials !== null && ` of ${study.maxTrials}`}
          </span>
          {outcomes(trials).map(([outcome, count]) => (
            <Badge key={outcome} tone={TONES[outcome] ?? "idle"}>
              {count} {outcome}
            </Badge>
          ))}
        </dd>
      </dl>
      {best && (
        <div class="study-best">
          <h2>
            Best: {number(best.values[first.name])} <span class="muted">{first.name}</span>
          </h2>
          <p class="row wrap">
            <button type="button" class="button" onClick={() => open(best.task)}>
              Trial {best.number}
            </button>
            {Object.entries(best.params).map(([name, value]) => (
              <code key={name} class="study-param">
                {name}={written(value)}
              </code>
            ))}
          </p>
        </div>
      )}
    </section>
  );
}

export const TONES: Readonly<Record<string, "good" | "bad" | "busy" | "warn" | "gone" | "idle">> = {
  Succeeded: "good",
  Failed: "bad",
  Running: "busy",
  Pruned: "warn",
  Cancelled: "gone",
};

interface Part {
  readonly study: Answer;
  readonly trials: readonly Trial[];
  readonly open: (task: string) => void;
}

function Front({ study, trials, open }: Part) {
  const [across, up] = study.objectives as [Objective, Objective];
  const drawn = useMemo(() => {
    const pareto = study.number.filter((_, at) => study.isPareto[at]);
    const rows = specs.frontRows(trials, across.name, up.name, pareto);
    return { rows, spec: specs.front(rows, across, up), count: pareto.length };
  }, [study, trials]);
  return (
    <section class="card pad">
      <Chart
        title={`${across.name} against ${up.name}`}
        description={`${plural(drawn.count, "trial")} of ${drawn.rows.length} that no other beats in every metric.`}
        columns={[
          { field: "trial", label: "Trial" },
          { field: "across", label: across.name },
          { field: "up", label: up.name },
          { field: "stands", label: "Stands" },
        ]}
        rows={drawn.rows}
        spec={drawn.spec}
        picked={opener(open)}
      />
    </section>
  );
}

function Charts({ study, trials, objective, open }: Part & { objective: Objective }) {
  const metric = objective.name;
  const drawn = useMemo(() => {
    const space = dimensionsOf(study);
    const history = specs.historyRows(trials, objective);
    const curves = specs.curveRows(trials, metric);
    const shares = specs.shareRows(study.importances?.[metric]);
    const slices = space
      .map((dimension) => ({ dimension, rows: specs.sliceRows(trials, metric, dimension) }))
      .filter(({ rows }) => rows.length > 1);
    return {
      space,
      history: { rows: history, spec: specs.history(history, metric) },
      curves: { rows: curves, spec: specs.curves(curves, metric), count: new Set(curves.map((row) => row.trial)).size },
      shares: { rows: shares, spec: specs.importances(shares) },
      slices: slices.map(({ dimension, rows }) => ({ dimension, rows, spec: specs.slice(rows, metric, dimension) })),
    };
  }, [study, trials, objective]);
  const best = bestSoFar(trials, objective);
  const last = best.at(-1);
  const [all, setAll] = useState(false);
  const shown = all ? drawn.slices : drawn.slices.slice(0, MOST_SLICES);
  return (
    <>
      <div class="study-charts">
        <section class="card pad">
          <Chart
            title={`${metric} of each trial`}
            description={
              last
                ? `The line is the best so far: ${number(last.value)}, since trial ${last.trial}.`
                : "No trial has left a value yet."
            }
            columns={[
              { field: "trial", label: "Trial" },
              { field: "value", label: metric },
              { field: "best", label: "Best so far" },
              { field: "outcome", label: "Ended" },
            ]}
            rows={drawn.history.rows}
            spec={drawn.history.spec}
            picked={opener(open)}
          />
        </section>
        <section class="card pad">
          {drawn.shares.rows.length > 0 ? (
            <Chart
              title={`What matters for ${metric}`}
              description={`${drawn.shares.rows[0]?.param} makes the greatest difference, ${Math.round(100 * (drawn.shares.rows[0]?.share ?? 0))} % of it.`}
              columns={[
                { field: "param", label: "Parameter" },
                { field: "share", label: "Share" },
              ]}
              rows={drawn.shares.rows}
              spec={drawn.shares.spec}
            />
          ) : (
            <Empty
              title="What matters is not known"
              next={
                study.importances === null ? (
                  <>
                    It follows from the search’s report: set <code>report: true</code> in <code>tune</code>, and it is
                    here when that has run.
                  </>
                ) : (
                  "There are too few trials, or they are all alike."
                )
              }
              icon="chart"
            />
          )}
        </section>
        {drawn.curves.rows.length > 0 && (
          <section class="card pad study-whole">
            <Chart
              title={`${metric} on the way`}
              description={`A line for each of ${plural(drawn.curves.count, "trial")}; its mark is where the trial ended, or was stopped.`}
              columns={[
                { field: "trial", label: "Trial" },
                { field: "step", label: "Step" },
                { field: "value", label: metric },
                { field: "outcome", label: "Ended" },
              ]}
              rows={drawn.curves.rows}
              spec={drawn.curves.spec}
              picked={opener(open)}
            />
          </section>
        )}
      </div>
      <Parallel trials={trials} space={drawn.space} objective={objective} open={open} />
      {shown.length > 0 && (
        <section class="card pad" aria-labelledby="slices">
          <h2 id="slices">{metric} by parameter</h2>
          <p class="muted study-words">A point is a trial: the later, the darker.</p>
          <div class="study-slices">
            {shown.map(({ dimension, rows, spec }) => (
              <Chart
                key={dimension.name}
                title={dimension.name}
                description={`${metric} of ${plural(rows.length, "trial")} by ${dimension.name}.`}
                columns={[
                  { field: "trial", label: "Trial" },
                  { field: "at", label: dimension.name },
                  { field: "value", label: metric },
                ]}
                rows={rows}
                spec={spec}
                picked={opener(open)}
              />
            ))}
          </div>
          {drawn.slices.length > MOST_SLICES && (
            <button type="button" class="button" onClick={() => setAll(!all)}>
              {all ? "Show fewer" : `Show all ${drawn.slices.length}`}
            </button>
          )}
        </section>
      )}
    </>
  );
}

const MOST_SLICES = 9;

function opener(open: (task: string) => void): (row: Row) => void {
  return (row) => typeof row.task === "string" && open(row.task);
}
