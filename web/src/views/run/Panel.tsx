/** One task beside the graph: how it stands and why, its log, what it ran with, took and left, its attempts and its Pod. */
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { get } from "../../api/client";
import type { ArtifactLink, KubeEvent, Pod, TaskAnswer } from "../../api/types";
import { refine, to } from "../../app/router";
import { now } from "../../app/session";
import { Badge, Phase } from "../../ui/badge";
import { Button } from "../../ui/button";
import { ago, bytes, clock, inline, lasted, number, plural, shortDigest } from "../../ui/format";
import { Icon } from "../../ui/icons";
import { useAgain, useResource } from "../../ui/resource";
import { Empty, Failure, Loading, Notice } from "../../ui/states";
import { Panel as TabPanel, Tabs } from "../../ui/tabs";
import { Text } from "../../ui/text";
import { RetryDialog } from "./actions";
import { ApproveDialog } from "./approve";
import { Json } from "./Json";
import { Log } from "./Log";
import { Metrics } from "./Metrics";
import type { RunStore } from "./store";
import { Tasks } from "./Tasks";
import { useSlow } from "./Timeline";

type Part = "about" | "log" | "metrics" | "parts" | "pod";

interface PanelProps {
  readonly store: RunStore;
  readonly task: string;
  readonly attempt?: number;
  readonly part?: string;
  readonly onChoose: (task: string) => void;
  readonly onClose: () => void;
}

export function Panel({ store, task, attempt, part, onChoose, onClose }: PanelProps) {
  const revision = useSlow(store.state.value?.revision ?? 0, 1_000);
  const { data, error, reload } = useResource(`${store.namespace}/${store.run}/${task}/${attempt ?? ""}`, (signal) =>
    get<TaskAnswer>("run/task", { ...store.which, task, attempt }, signal),
  );
  useEffect(() => {
    if (data || error) reload();
  }, [revision, store.state.value?.phase]);
  useAgain(reload, part === "pod" && data !== undefined && !OVER.has(data.row.phase));
  return (
    <aside class="panel card" aria-label={`Step ${task}`}>
      <header class="head">
        <h2 class="grow clip">
          <Text text={task} title />
        </h2>
        <Button kind="quiet" icon="cross" label="Close the step" onClick={onClose} />
      </header>
      {data ? (
        <Shown store={store} data={data} part={part} onChoose={onChoose} />
      ) : error ? (
        <Failure error={error} again={reload} />
      ) : (
        <Loading label="Reading the step" />
      )}
    </aside>
  );
}

const OVER: ReadonlySet<string> = new Set(["Succeeded", "Failed", "Skipped", "Cancelled"]);

function Shown({
  store,
  data,
  part,
  onChoose,
}: {
  store: RunStore;
  data: TaskAnswer;
  part?: string;
  onChoose: (task: string) => void;
}) {
  const { row } = data;
  const hasRun = data.attempt >= 0 && !row.isComposed;
  const hasMetrics =
    data.series.length > 0 || Object.keys(data.metrics).length > 0 || (hasRun && row.phase === "Running");
  const tabs: { id: Part; label: string }[] = [
    { id: "about", label: "About" },
    ...(row.isComposed ? [{ id: "parts" as const, label: "Parts" }] : []),
    ...(hasRun && !row.cached ? [{ id: "log" as const, label: "Log" }] : []),
    ...(hasMetrics ? [{ id: "metrics" as const, label: "Metrics" }] : []),
    ...(data.pod ? [{ id: "pod" as const, label: "Pod" }] : []),
  ];
  const chosen = tabs.find((each) => each.id === part)?.id ?? "about";
  const which = { namespace: store.namespace, run: store.run, task: row.task, attempt: data.attempt };
  return (
    <>
      <div class="body stack">
        <div class="row wrap">
          <Phase phase={row.phase} waits={data.approval !== null && row.phase === "Running"} />
          {row.reason && <Badge tone={row.phase === "Failed" ? "bad" : "idle"}>{row.reason}</Badge>}
          {row.cached && <Badge icon="bolt">cached</Badge>}
          <span class="muted">{data.kind}</span>
          <span class="grow" />
          {data.attempts.length > 1 && <Attempts data={data} />}
        </div>
        <Asked store={store} data={data} />
      </div>
      <Tabs
        label="Of this step"
        prefix="step"
        tabs={tabs}
        chosen={chosen}
        onChoose={(id) => refine({ part: id === "about" ? "" : id })}
      />
      <TabPanel id={chosen} prefix="step" class="body">
        {chosen === "about" && <About store={store} data={data} onChoose={onChoose} />}
        {chosen === "log" && <Log {...which} />}
        {chosen === "metrics" && <Metrics {...which} last={data.metrics} />}
        {chosen === "parts" && <Tasks store={store} below={row.task} onChoose={onChoose} narrow height="60vh" />}
        {chosen === "pod" && data.pod && <OfPod pod={data.pod} />}
      </TabPanel>
    </>
  );
}

function Attempts({ data }: { data: TaskAnswer }) {
  return (
    <label class="row">
      <span class="muted">Attempt</span>
      <select
        class="input attempts"
        value={String(data.attempt)}
        onChange={(event) => refine({ attempt: event.currentTarget.value })}
      >
        {data.attempts.map((each) => (
          <option key={each} value={String(each)}>
            {each + 1}
          </option>
        ))}
      </select>
    </label>
  );
}

/** What a person can do here: decide, or run again. */
function Asked({ store, data }: { store: RunStore; data: TaskAnswer }) {
  const [deed, ask] = useState<"approve" | "reject" | "retry">();
  const may = store.state.value?.may ?? [];
  const { approval, row } = data;
  const step = row.task.split(/[/~.]/)[0] ?? row.task;
  return (
    <>
      {approval && row.phase === "Running" && (
        <div class="asks">
          <p>
            <Text text={approval.message || "This step waits for a decision."} />
          </p>
          {may.includes("approve") ? (
            <div class="row">
              <Button kind="primary" icon="check" onClick={() => ask("approve")}>
                Approve
              </Button>
              <Button kind="danger" icon="cross" onClick={() => ask("reject")}>
                Reject
              </Button>
            </div>
          ) : (
            <p class="muted">Somebody with the right to decide has to: you may look only.</p>
          )}
        </div>
      )}
      {may.includes("retry") && row.phase !== "Pending" && (
        <div class="row">
          <Button icon="retry" onClick={() => ask("retry")}>
            Retry from here
          </Button>
        </div>
      )}
      {approval && (deed === "approve" || deed === "reject") && (
        <ApproveDialog
          store={store}
          task={row.task}
          approval={approval}
          approved={deed === "approve"}
          onClose={() => ask(undefined)}
        />
      )}
      {deed === "retry" && <RetryDialog store={store} from={step} onClose={() => ask(undefined)} />}
    </>
  );
}

function About({ store, data, onChoose }: { store: RunStore; data: TaskAnswer; onChoose: (task: string) => void }) {
  const { row } = data;
  return (
    <div class="stack">
      {data.message && (
        <Notice tone={row.phase === "Failed" ? "bad" : row.phase === "Running" ? "busy" : "idle"}>
          <pre>
            <Text text={data.message} />
          </pre>
        </Notice>
      )}
      {data.waitsFor.length > 0 && (
        <p class="row wrap">
          <span class="muted">Waits for</span>
          {data.waitsFor.slice(0, 20).map((task) => (
            <button key={task} type="button" class="chip" onClick={() => onChoose(task)}>
              <Text text={task} />
            </button>
          ))}
          {data.waitsFor.length > 20 && <span class="muted">and {plural(data.waitsFor.length - 20, "other")}</span>}
        </p>
      )}
      <dl class="facts">
        {data.started !== null && (
          <Fact name="Started">
            <span class="num" title={ago(data.started, now.value)}>
              {clock(data.started)}
            </span>
          </Fact>
        )}
        {data.started !== null && (
          <Fact name={data.finished === null ? "Has run for" : "Ran for"}>
            <span class="num">{lasted(data.started, data.finished, data.finished ?? now.value)}</span>
          </Fact>
        )}
        {data.exitCode !== null && (
          <Fact name="Exit code">
            <span class="num">{data.exitCode}</span>
          </Fact>
        )}
        {row.progress && row.isComposed && (
          <Fact name="Progress">
            <span class="num">{row.progress}</span>
          </Fact>
        )}
        {data.image && (
          <Fact name="Image">
            <code>
              <Text text={data.image} />
            </code>
            {data.imageDigest && (
              <span class="muted" title={data.imageDigest}>
                {" "}
                {shortDigest(data.imageDigest)}
              </span>
            )}
          </Fact>
        )}
        {data.cachedFrom && (
          <Fact name="Result of">
            {data.cachedRun ? (
              <a href={to("run", { namespace: store.namespace, run: data.cachedRun })}>
                <Text text={data.cachedRun} />
              </a>
            ) : (
              <code>{data.cachedFrom}</code>
            )}
          </Fact>
        )}
        {data.missed && (
          <Fact name="Not cached">
            <Text text={data.missed} />
          </Fact>
        )}
      </dl>
      <Values title="Parameters" values={data.params} />
      <Links title="Inputs" links={data.inputs} nameOf={(link) => link.sources[0] ?? link.name} store={store} />
      <Links title="Outputs" links={data.outputs} nameOf={(link) => `${row.task}.${link.name}`} store={store} />
      <Values title="Output parameters" values={data.parameters} />
      {Object.keys(data.metrics).length > 0 && <Values title="Metrics" values={data.metrics} />}
      {data.decision !== null && (
        <section class="stack">
          <h3>Decision</h3>
          <Json value={data.decision} label="The decision" />
        </section>
      )}
      {data.report?.digest && (
        <div class="row">
          <Button
            icon="chart"
            href={to("artifacts", {
              ...store.which,
              digest: data.report.digest,
              type: data.report.type,
              name: `${row.task}.${data.report.name}`,
            })}
          >
            Open the report
          </Button>
        </div>
      )}
      {data.kind === "tune" && (
        <div class="row">
          <Button icon="chart" href={to("study", { ...store.which, task: row.task })}>
            Open the search
          </Button>
        </div>
      )}
      <details>
        <summary>The step as written</summary>
        <Json value={data.spec} label="The step as written" />
      </details>
    </div>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}

function Values({ title, values }: { title: string; values: Readonly<Record<string, unknown>> }) {
  const names = Object.keys(values);
  if (names.length === 0) return null;
  return (
    <section class="stack tight">
      <h3>{title}</h3>
      <dl class="facts">
        {names.map((name) => {
          const value = values[name];
          return (
            <Fact key={name} name={name}>
              <code title={inline(value, 2000)}>
                <Text text={typeof value === "number" ? number(value) : inline(value, 300)} />
              </code>
            </Fact>
          );
        })}
      </dl>
    </section>
  );
}

function Links({
  title,
  links,
  nameOf,
  store,
}: {
  title: string;
  links: readonly ArtifactLink[];
  nameOf: (link: ArtifactLink) => string;
  store: RunStore;
}) {
  if (links.length === 0) return null;
  return (
    <section class="stack tight">
      <h3>{title}</h3>
      <ul class="links">
        {links.map((link) => (
          <li key={link.name} class="row">
            <Icon name={link.type === "file" ? "file" : "box"} size={14} />
            {link.digest ? (
              <a
                class="clip"
                title={link.digest}
                href={to("artifacts", { ...store.which, digest: link.digest, type: link.type, name: nameOf(link) })}
              >
                <Text text={link.name} />
              </a>
            ) : (
              <Text text={link.name} />
            )}
            <span class="muted clip grow">
              <Text
                text={[link.sources.join(", "), link.keep && `kept ${link.keep}`].filter(Boolean).join(" · ")}
                title
              />
            </span>
            <span class="muted num">{link.digest ? bytes(link.size) : "not yet"}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function OfPod({ pod }: { pod: Pod }) {
  return (
    <div class="stack">
      {pod.problem && (
        <Notice tone="warn">
          <Text text={pod.problem} />
        </Notice>
      )}
      <dl class="facts">
        <Fact name="Pod">
          <code>
            <Text text={pod.name} />
          </code>
        </Fact>
        <Fact name="Phase">{pod.phase}</Fact>
        {pod.node && (
          <Fact name="Node">
            <Text text={pod.node} />
          </Fact>
        )}
        {pod.containers.map((each) => (
          <Fact key={each.name} name={each.name}>
            {each.state}
            {each.reason && `: ${each.reason}`}
            {each.exitCode !== null && `, exit code ${each.exitCode}`}
            {each.restarts > 0 && `, ${plural(each.restarts, "restart")}`}
            <br />
            <code class="muted">
              <Text text={each.image} />
            </code>
            <Amounts name="Promised" amounts={each.requests} />
            <Amounts name="At most" amounts={each.limits} />
          </Fact>
        ))}
      </dl>
      <h3>Events</h3>
      <Events events={pod.events} />
    </div>
  );
}

/** What a container is promised, or may not exceed. */
function Amounts({ name, amounts }: { name: string; amounts: Readonly<Record<string, string>> }) {
  const known = Object.entries(amounts);
  if (known.length === 0) return null;
  return (
    <p class="muted num">
      {name}: {known.map(([resource, amount]) => `${resource} ${amount}`).join(", ")}
    </p>
  );
}

export function Events({ events }: { events: readonly KubeEvent[] }) {
  if (events.length === 0) return <Empty icon="list" title="No events" next="Kubernetes keeps them for an hour." />;
  return (
    <ul class="events">
      {events.map((event, index) => (
        <li key={index}>
          <span class="row">
            <Badge tone={event.type === "Warning" ? "warn" : "idle"}>{event.reason}</Badge>
            <span class="muted num grow">
              {event.count > 1 && `${event.count} times, `}
              {ago(event.last, now.value)}
            </span>
            <span class="muted">{event.source}</span>
          </span>
          <Text text={event.message} />
        </li>
      ))}
    </ul>
  );
}
