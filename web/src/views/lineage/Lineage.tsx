/** Where an artifact comes from and what was made with it: as a drawing to walk through with the arrow keys, or as a table. */
import { useMemo } from "preact/hooks";
import { get } from "../../api/client";
import type { Lineage as Answer } from "../../api/types";
import { refine, to } from "../../app/router";
import type { ViewProps } from "../../app/view";
import { plural, shortDigest } from "../../ui/format";
import { Grid } from "../../ui/grid";
import { useResource } from "../../ui/resource";
import { Empty, Failure, Loading, Notice } from "../../ui/states";
import { Panel, Tabs } from "../../ui/tabs";
import { Crumbs } from "../shared/Crumbs";
import { Drawing } from "./Drawing";
import { Facts } from "./Facts";
import { graphOf, type LineageGraph } from "./graph";
import "./lineage.css";

const TABS = [
  { id: "graph", label: "Graph" },
  { id: "table", label: "Table" },
] as const;

export default function Lineage({ query }: ViewProps) {
  const { namespace = "", run = "", task = "", output = "", digest = "" } = query;
  const lineage = useResource(`${namespace} ${run} ${task} ${output} ${digest}`, (signal) =>
    get<Answer>("lineage", digest ? { namespace, digest } : { namespace, run, task, output }, signal),
  );
  return (
    <div class="stack">
      <Crumbs parts={run ? [[run, to("run", { namespace, run })], ["Lineage"]] : [["Lineage"]]} />
      <h1>
        Lineage of <bdi>{nameOf(lineage.data) || (output ? `${task}.${output}` : shortDigest(digest))}</bdi>
      </h1>
      {lineage.data ? (
        <Known lineage={lineage.data} query={query} />
      ) : lineage.error ? (
        <Failure error={lineage.error} again={lineage.reload} />
      ) : (
        <Loading label="Reading the records" />
      )}
    </div>
  );
}

function nameOf(lineage: Answer | undefined): string {
  return lineage?.artifacts.find((one) => one.digest === lineage.digest)?.name ?? "";
}

function Known({ lineage, query }: { lineage: Answer; query: ViewProps["query"] }) {
  const graph = useMemo(() => graphOf(lineage), [lineage]);
  const tab = query.show === "table" ? "table" : "graph";
  const chosen = graph.nodes.find((node) => node.id === query.node) ?? graph.nodes.find((node) => node.isSubject);
  if (graph.nodes.length === 0)
    return <Empty title="Nothing is known of it" next="No record of this namespace names it." icon="branch" />;
  return (
    <>
      <p class="muted">
        {plural(lineage.artifacts.length, "artifact")} and {plural(lineage.steps.length, "step")}, from the data on the
        left to what was made of it on the right.
      </p>
      {lineage.leftOut > 0 && <Notice tone="warn">{lineage.leftOut} steps further away are left out.</Notice>}
      <Tabs
        label="Show as"
        prefix="lineage"
        tabs={TABS}
        chosen={tab}
        onChoose={(show) => refine({ show: show === "graph" ? "" : show })}
      />
      <Panel id={tab} prefix="lineage" class="lineage">
        {tab === "graph" ? (
          <Drawing graph={graph} chosen={chosen?.id ?? ""} choose={(node) => refine({ node })} />
        ) : (
          <Rows graph={graph} chosen={chosen?.id ?? ""} />
        )}
        {chosen && (
          <Facts graph={graph} node={chosen} namespace={query.namespace ?? ""} choose={(node) => refine({ node })} />
        )}
      </Panel>
    </>
  );
}

const WORDS: Readonly<Record<string, string>> = {
  made: "made",
  used: "was used by",
  part: "is part of",
  cached: "was taken over by",
};

/** Each arrow as a sentence. */
function Rows({ graph, chosen }: { graph: LineageGraph; chosen: string }) {
  const byId = new Map(graph.nodes.map((node) => [node.id, node]));
  const name = (node: string) => (
    <button type="button" class="lineage-name" onClick={() => refine({ node })}>
      <bdi>{byId.get(node)?.title}</bdi>
    </button>
  );
  return (
    <Grid
      label="Lineage as a table"
      look="lineage-table"
      columns={["From", "How", "To", "As"].map((head) => ({ id: head, head }))}
      rows={graph.edges.map((edge, at) => ({
        id: at,
        look: edge.source === chosen || edge.target === chosen ? "is-chosen" : "",
        cells: [
          name(edge.source),
          <span class="muted">{WORDS[edge.kind]}</span>,
          name(edge.target),
          <bdi>{edge.name}</bdi>,
        ],
      }))}
    />
  );
}
