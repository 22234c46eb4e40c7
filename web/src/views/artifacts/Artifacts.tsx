/** What the steps of a run have left, and a look at one of them. The address says which: it can be sent to somebody. */
import { useEffect, useMemo, useState } from "preact/hooks";
import { get } from "../../api/client";
import type { Artifact, ArtifactsPage } from "../../api/types";
import { refine, to } from "../../app/router";
import type { ViewProps } from "../../app/view";
import { Badge } from "../../ui/badge";
import { bytes, plural } from "../../ui/format";
import { Icon, type IconName } from "../../ui/icons";
import { useResource } from "../../ui/resource";
import { Empty, Failure, Loading } from "../../ui/states";
import { Crumbs } from "../shared/Crumbs";
import { useRevision } from "../shared/revision";
import "./artifacts.css";
import { PreviewPanel } from "./PreviewPanel";

const LIMIT = 200;

export default function Artifacts({ query }: ViewProps) {
  const { namespace = "", run = "", trials = "" } = query;
  const [text, setText] = useState("");
  const [limit, setLimit] = useState(LIMIT);
  const page = useResource(run ? `${namespace} ${run} ${trials} ${text} ${limit}` : null, (signal) =>
    get<ArtifactsPage>("run/artifacts", { namespace, run, trials, text, limit }, signal),
  );
  useRevision(namespace, run, page.reload);
  // What was there stays in sight while another page of it is asked for.
  const [known, setKnown] = useState<ArtifactsPage>();
  useEffect(() => {
    if (page.data) setKnown(page.data);
  }, [page.data]);
  const shown = page.data ?? known;
  const chosen = query.digest ? query : undefined;
  useEffect(() => {
    document.querySelector(".artifact-link[aria-current]")?.scrollIntoView({ block: "nearest" });
  }, [known]);
  return (
    <div class="stack">
      <Crumbs parts={run ? [[run, to("run", { namespace, run })], ["Artifacts"]] : [["Artifact"]]} />
      <h1>{run ? "Artifacts" : "Artifact"}</h1>
      <div class={chosen ? "artifacts has-chosen" : "artifacts"}>
        {run && (
          <section class="stack artifacts-list" aria-label="Artifacts of the run">
            <label class="search">
              <span class="unseen">Filter artifacts</span>
              <Icon name="search" />
              <input
                class="input"
                type="search"
                placeholder="Step or name"
                value={text}
                onInput={(event) => setText(event.currentTarget.value)}
              />
            </label>
            <label class="row artifacts-trials">
              <input
                type="checkbox"
                checked={trials === "1"}
                onChange={(event) => refine({ trials: event.currentTarget.checked ? "1" : "" })}
              />
              Of each trial and item, too
            </label>
            {page.error ? (
              <Failure error={page.error} again={page.reload} />
            ) : !shown ? (
              <Loading label="Reading what there is" />
            ) : shown.rows.length === 0 ? (
              <Empty
                title={text ? "Nothing fits" : "Nothing yet"}
                next={text ? "Change the filter." : "What steps leave appears here as soon as it is committed."}
              />
            ) : (
              <>
                <List rows={shown.rows} query={query} />
                {shown.next && (
                  <button
                    type="button"
                    class="button"
                    onClick={() => setLimit(Math.min(500, limit + LIMIT))}
                    disabled={limit >= 500}
                  >
                    {limit >= 500
                      ? `The first ${shown.rows.length} of ${shown.total}: filter for others`
                      : `Show more of ${plural(shown.total, "artifact")}`}
                  </button>
                )}
              </>
            )}
          </section>
        )}
        {chosen && run && (
          <a class="artifacts-back" href={to("artifacts", { namespace, run, trials })}>
            <Icon name="left" size={12} /> All artifacts
          </a>
        )}
        {chosen ? (
          <PreviewPanel
            key={`${chosen.digest} ${chosen.path ?? ""}`}
            namespace={namespace}
            run={run}
            digest={chosen.digest ?? ""}
            name={chosen.name ?? ""}
            type={chosen.type ?? "file"}
            path={chosen.path ?? ""}
          />
        ) : (
          <section class="card artifacts-none">
            <Empty
              title="Choose an artifact"
              next="Tables, pictures, reports, JSON, text and directories can be looked at here."
              icon="file"
            />
          </section>
        )}
      </div>
    </div>
  );
}

function List({ rows, query }: { rows: readonly Artifact[]; query: ViewProps["query"] }) {
  const steps = useMemo(() => byTask(rows), [rows]);
  return (
    <ul class="stack artifacts-steps">
      {[...steps].map(([task, left]) => (
        <li key={task}>
          <h2 class="clip" title={task}>
            <bdi>{task}</bdi>
          </h2>
          <ul>
            {left.map((one) => (
              <li key={`${one.name} ${one.attempt}`}>
                <Link artifact={one} query={query} />
              </li>
            ))}
          </ul>
        </li>
      ))}
    </ul>
  );
}

function byTask(rows: readonly Artifact[]): Map<string, Artifact[]> {
  const steps = new Map<string, Artifact[]>();
  for (const row of rows) steps.set(row.task, [...(steps.get(row.task) ?? []), row]);
  return steps;
}

function Link({ artifact, query }: { artifact: Artifact; query: ViewProps["query"] }) {
  const { task, name, digest, type } = artifact;
  const full = `${task}.${name}`;
  const isChosen = query.digest === digest && query.name === full;
  const { namespace, run, trials } = query;
  return (
    <a
      class="artifact-link"
      href={to("artifacts", { namespace, run, trials, digest, name: full, type })}
      aria-current={isChosen ? "true" : undefined}
    >
      <Icon name={ICONS[artifact.looks] ?? (type === "file" ? "file" : "box")} />
      <span class="grow clip">
        <bdi>{name}</bdi>
      </span>
      {artifact.attempt !== null && <Badge tone="bad">failed attempt {artifact.attempt}</Badge>}
      <span class="muted num">{bytes(artifact.size)}</span>
    </a>
  );
}

const ICONS: Readonly<Record<string, IconName>> = {
  table: "data",
  image: "screen",
  html: "chart",
  json: "list",
  text: "file",
  model: "box",
  directory: "box",
};
