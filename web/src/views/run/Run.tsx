/** A run: how it stands, what can be asked of it, its steps as a graph, along the time and as a table, and what it was asked to do. */
import { useEffect, useState } from "preact/hooks";
import { get, getText } from "../../api/client";
import type { EventsAnswer, RunAnswer, RunState, TaskAnswer } from "../../api/types";
import { refine, to } from "../../app/router";
import { now, session } from "../../app/session";
import { useShortcuts } from "../../app/shortcuts";
import type { ViewProps } from "../../app/view";
import { Badge, Phase } from "../../ui/badge";
import { Button } from "../../ui/button";
import { ago, clock, inline, lasted, plural, share } from "../../ui/format";
import { Icon } from "../../ui/icons";
import { useAgain, useResource } from "../../ui/resource";
import { Empty, Failure, Loading, Notice, Said } from "../../ui/states";
import { Panel as TabPanel, Tabs } from "../../ui/tabs";
import { Text } from "../../ui/text";
import { Yaml } from "../../ui/yaml";
import { Actions } from "./actions";
import { ApproveDialog } from "./approve";
import { GraphTab } from "./GraphTab";
import { NodePanel } from "./NodePanel";
import { Events, Panel } from "./Panel";
import type { RunStore } from "./store";
import { useRun } from "./store";
import { Tasks } from "./Tasks";
import { Timeline } from "./Timeline";
import "./run.css";

const TABS = ["graph", "timeline", "steps", "spec"] as const;
type Tab = (typeof TABS)[number] | "events";

export default function Run({ query }: ViewProps) {
  const store = useRun(query.namespace ?? "", query.run ?? "");
  const answer = store.answer.value;
  const state = store.state.value;
  const problem = store.problem.value;
  useEffect(() => {
    if (query.run) document.title = `${query.run} · MLWorkflow`;
  }, [query.run]);
  if (!query.run)
    return <Empty icon="runs" title="Which run?" next={<a href={to("runs")}>Choose one from the list</a>} />;
  if (!answer || !state)
    return problem ? (
      <Failure
        error={problem}
        title={problem.status === 404 ? "There is no such run" : undefined}
        again={() => void store.open()}
      />
    ) : (
      <Loading label="Reading the run" />
    );
  return <Shown store={store} answer={answer} state={state} query={query} />;
}

function Shown({ store, answer, state, query }: { store: RunStore; answer: RunAnswer; state: RunState } & ViewProps) {
  const tab: Tab = [...TABS, "events" as const].find((each) => each === query.tab) ?? "graph";
  const choose = (task: string) => refine({ task, node: "", part: "", attempt: "" });
  const close = () => refine({ task: "", node: "", part: "", attempt: "" });
  const pick = (id: string) => {
    const node = answer.graph.nodes.find((each) => each.id === id);
    const isMany = Object.keys(store.nodes.value.get(id)?.counts ?? {}).length > 0;
    if (node && node.parent === "" && node.role !== "fold" && !isMany) choose(id);
    else refine({ node: id, task: "", part: "", attempt: "" });
  };
  useShortcuts(
    [
      ...TABS.map((id, index) => ({
        keys: String(index + 1),
        label: `Show ${id}`,
        act: () => refine({ tab: id === "graph" ? "" : id }),
      })),
      { keys: "Escape", label: "Close the step", act: close },
    ],
    store.run,
  );
  const isOpen = Boolean(query.task || query.node);
  const problem = store.problem.value;

  return (
    <>
      <Header store={store} answer={answer} state={state} />
      {store.gone.value && (
        <Notice tone="warn">
          <Said problem={store.gone.value} />
        </Notice>
      )}
      {problem && (
        <Notice tone="warn">
          <Said problem={problem} />
        </Notice>
      )}
      {answer.problems.map((each) => (
        <Notice key={each.message} tone="bad">
          <Text text={each.message} /> {each.hint}
        </Notice>
      ))}
      <Waiting store={store} state={state} onChoose={choose} />
      <Failures answer={answer} state={state} onChoose={(task) => refine({ task, node: "", part: "", attempt: "" })} />
      <div class={`split ${isOpen ? "is-open" : ""}`}>
        <div class="stack">
          <Tabs
            label="Of this run"
            tabs={[
              { id: "graph", label: "Graph" },
              { id: "timeline", label: "Time line" },
              { id: "steps", label: "Steps" },
              { id: "spec", label: "Spec" },
              ...(session.value?.mode !== "local" ? [{ id: "events" as const, label: "Events" }] : []),
            ]}
            chosen={tab}
            onChoose={(id) => refine({ tab: id === "graph" ? "" : id })}
          />
          <TabPanel id={tab}>
            {tab === "graph" && (
              <GraphTab
                graph={answer.graph}
                generation={state.generation}
                states={store.nodes.value}
                inside={query.inside ?? ""}
                chosen={query.node || nodeOf(query.task)}
                onChoose={pick}
                onEnter={(inside) => refine({ inside, node: "", task: "" })}
              />
            )}
            {tab === "timeline" && <Timeline store={store} chosen={query.task} onChoose={choose} />}
            {tab === "steps" && (
              <Tasks store={store} chosen={query.task} onChoose={choose} height="calc(100dvh - 330px)" />
            )}
            {tab === "spec" && <Spec store={store} answer={answer} />}
            {tab === "events" && <Happened store={store} />}
          </TabPanel>
        </div>
        {query.task ? (
          <Panel
            key={query.task}
            store={store}
            task={query.task}
            attempt={query.attempt ? Number(query.attempt) : undefined}
            part={query.part}
            onChoose={choose}
            onClose={close}
          />
        ) : query.node ? (
          <NodePanel
            key={query.node}
            store={store}
            answer={answer}
            node={query.node}
            onChoose={choose}
            onEnter={(inside) => refine({ inside, tab: "", node: "", task: "" })}
            onClose={close}
          />
        ) : null}
      </div>
    </>
  );
}

/** What Kubernetes tells of the run, asked for again as long as it is looked at. */
function Happened({ store }: { store: RunStore }) {
  const { data, error, reload } = useResource(`happened ${store.namespace}/${store.run}`, (signal) =>
    get<EventsAnswer>("run/happened", store.which, signal),
  );
  useAgain(reload, true);
  if (data) return <Events events={data.events} />;
  return error ? <Failure error={error} again={reload} /> : <Loading label="Reading events" />;
}

/** The place in the graph of a task: `folds~2/1.prep` is at `folds.prep`. */
export function nodeOf(task: string | undefined): string | undefined {
  return task
    ?.split(".")
    .map((part) => part.replace(/[~/].*$/, ""))
    .join(".");
}

function Header({ store, answer, state }: { store: RunStore; answer: RunAnswer; state: RunState }) {
  const part = share(state.progress);
  const params = Object.entries(answer.params);
  return (
    <header class="stack run-head">
      <nav aria-label="Where this is">
        <ol class="crumbs">
          <li>
            <a href={to("runs")}>Runs</a>
          </li>
          <li>
            <Icon name="right" size={12} />
            <a href={to("runs", { namespace: store.namespace })}>
              <Text text={store.namespace} />
            </a>
          </li>
        </ol>
      </nav>
      <div class="title">
        <h1>
          <Text text={store.run} />
        </h1>
        <Phase phase={state.phase} waits={state.waiting.length > 0 && state.phase === "Running"} />
        {answer.row.isArchived && <Badge>deleted: what is kept of it</Badge>}
        <span class="grow" />
        <Actions store={store} />
      </div>
      <div class="row wrap facts-line">
        <span class="progress wide">
          <span
            class="bar"
            role="progressbar"
            aria-label="Steps that have ended"
            aria-valuemin={0}
            aria-valuemax={100}
            aria-valuenow={Math.round((part ?? 0) * 100)}
          >
            <span class={`mark-${state.phase}`} style={{ width: `${(part ?? 0) * 100}%` }} />
          </span>
          <span class="num">{state.progress}</span>
        </span>
        {state.started !== null && <span title={clock(state.started)}>started {ago(state.started, now.value)}</span>}
        {state.started !== null && (
          <span class="num">
            {state.finished === null ? "for" : "took"}{" "}
            {lasted(state.started, state.finished, state.finished ?? now.value)}
          </span>
        )}
        <a class="row" href={to("artifacts", store.which)}>
          <Icon name="box" size={14} />
          Artifacts
        </a>
        <a class="row" href={to("submit", { from: `${store.namespace}/${store.run}` })}>
          <Icon name="copy" size={14} />
          Run a changed copy
        </a>
      </div>
      {state.message && (
        <p class={state.phase === "Failed" ? "message bad" : "message"}>
          <Text text={state.message} />
        </p>
      )}
      {params.length > 0 && (
        <ul class="row wrap params-line" aria-label="Parameters">
          {params.slice(0, 12).map(([name, value]) => (
            <li key={name} class="mono">
              <span class="muted">
                <Text text={name} />=
              </span>
              <Text text={inline(value, 48)} title />
            </li>
          ))}
          {params.length > 12 && <li class="muted">and {plural(params.length - 12, "other")}</li>}
        </ul>
      )}
    </header>
  );
}

/** Who has to decide what. */
function Waiting({ store, state, onChoose }: { store: RunStore; state: RunState; onChoose: (task: string) => void }) {
  const [asked, ask] = useState<{ answer: TaskAnswer; approved: boolean }>();
  if (state.waiting.length === 0) return null;
  const decide = async (task: string, approved: boolean) => {
    const answer = await get<TaskAnswer>("run/task", { ...store.which, task });
    if (answer.approval) ask({ answer, approved });
    else onChoose(task);
  };
  return (
    <Notice tone="warn" icon="hand">
      <ul class="waiting">
        {state.waiting.map((task) => (
          <li key={task} class="row wrap">
            <button type="button" class="link" onClick={() => onChoose(task)}>
              <Text text={task} />
            </button>
            <span>waits for a decision</span>
            <span class="grow" />
            {state.may.includes("approve") && (
              <>
                <Button kind="primary" icon="check" onClick={() => void decide(task, true)}>
                  Approve
                </Button>
                <Button icon="cross" onClick={() => void decide(task, false)}>
                  Reject
                </Button>
              </>
            )}
          </li>
        ))}
      </ul>
      {asked?.answer.approval && (
        <ApproveDialog
          store={store}
          task={asked.answer.row.task}
          approval={asked.answer.approval}
          approved={asked.approved}
          onClose={() => ask(undefined)}
        />
      )}
    </Notice>
  );
}

function Failures({
  answer,
  state,
  onChoose,
}: {
  answer: RunAnswer;
  state: RunState;
  onChoose: (task: string) => void;
}) {
  if (answer.failures.length === 0 || state.phase === "Succeeded") return null;
  return (
    <section class="card failures" aria-label="What has failed">
      {answer.failures.slice(0, 5).map((row) => (
        <button key={row.task} type="button" onClick={() => onChoose(row.task)}>
          <Icon name="cross" size={14} />
          <strong class="clip">
            <Text text={row.task} />
          </strong>
          {row.reason && <Badge tone="bad">{row.reason}</Badge>}
          <span class="clip grow muted">
            <Text text={row.message.split("\n")[0] ?? ""} title />
          </span>
        </button>
      ))}
      {answer.failures.length > 5 && (
        <p class="muted">{plural(answer.failures.length - 5, "more failure")}: see Steps.</p>
      )}
    </section>
  );
}

function Spec({ store, answer }: { store: RunStore; answer: RunAnswer }) {
  const key = answer.yaml ? null : `${store.namespace}/${store.run}/${answer.state.generation}`;
  const { data, error, reload } = useResource(key, (signal) => getText("run/yaml", store.which, signal));
  const text = answer.yaml || data?.text;
  const marks = Object.entries({ ...answer.labels, ...answer.annotations });
  return (
    <div class="stack">
      {marks.length > 0 && (
        <details>
          <summary>{plural(marks.length, "label or annotation", "labels and annotations")}</summary>
          <dl class="facts">
            {marks.map(([name, value]) => (
              <>
                <dt key={name}>
                  <Text text={name} />
                </dt>
                <dd>
                  <Text text={value} />
                </dd>
              </>
            ))}
          </dl>
        </details>
      )}
      {text ? (
        <Yaml text={text} label="The workflow as YAML" file={`${store.run}.yaml`} />
      ) : error ? (
        <Failure error={error} again={reload} />
      ) : (
        <Loading label="Reading the spec" />
      )}
    </div>
  );
}
