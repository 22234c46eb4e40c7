/** Models by name; with a name in the address that one. */
import { useMemo } from "preact/hooks";
import { get } from "../../api/client";
import type { ModelRow, ModelsAnswer } from "../../api/types";
import { go, to } from "../../app/router";
import { now, session } from "../../app/session";
import type { ViewProps } from "../../app/view";
import { Badge } from "../../ui/badge";
import { ago } from "../../ui/format";
import { useResource } from "../../ui/resource";
import { Empty, Failure, Loading } from "../../ui/states";
import { type Column, Table } from "../../ui/table";
import { Namespaces } from "../shared/Namespaces";
import { ModelPage } from "./ModelPage";
import "./models.css";

export default function Models({ query }: ViewProps) {
  const namespace = query.namespace || session.value?.namespace || "";
  if (query.name) return <ModelPage namespace={namespace} name={query.name} />;
  return <List namespace={namespace} />;
}

function List({ namespace }: { namespace: string }) {
  const columns = useMemo(() => columnsOf(namespace), [namespace]);
  const models = useResource(namespace, (signal) => get<ModelsAnswer>("models", { namespace }, signal));
  return (
    <div class="stack">
      <div class="title">
        <h1 class="grow">Models</h1>
        <Namespaces chosen={namespace} choose={(next) => go("models", { namespace: next })} />
      </div>
      {models.error ? (
        <Failure error={models.error} again={models.reload} />
      ) : !models.data ? (
        <Loading label="Reading the models" />
      ) : (
        <Table
          label="Models"
          columns={columns}
          rows={models.data.models}
          keyOf={(model) => model.name}
          onOpen={(model) => go("models", { namespace, name: model.name })}
          empty={
            <Empty
              title="No model has a name yet"
              next={
                <>
                  A <code>promote</code> step gives one a name when it is good enough. Or look at the model that a run
                  has left, among its artifacts, and promote it there.
                </>
              }
            />
          }
        />
      )}
    </div>
  );
}

const columnsOf = (namespace: string): readonly Column<ModelRow>[] => [
  {
    id: "name",
    label: "Name",
    cell: (model) => (
      <a href={to("models", { namespace, name: model.name })}>
        <bdi>{model.name}</bdi>
      </a>
    ),
    sortBy: (model) => model.name,
  },
  {
    id: "versions",
    label: "Versions",
    width: "96px",
    end: true,
    cell: (model) => model.versions,
    sortBy: (model) => model.versions,
  },
  {
    id: "aliases",
    label: "Aliases",
    cell: (model) => (
      <span class="row">
        {Object.entries(model.aliases).map(([alias, version]) => (
          <Badge key={alias} tone={alias === "champion" ? "good" : "idle"}>
            {alias} {version}
          </Badge>
        ))}
      </span>
    ),
  },
  {
    id: "newest",
    label: "Newest",
    wide: true,
    width: "150px",
    cell: (model) => ago(model.newest?.added, now.value),
    sortBy: (model) => model.newest?.added ?? null,
  },
  {
    id: "by",
    label: "Added by",
    wide: true,
    cell: (model) => <bdi>{model.newest?.by}</bdi>,
    sortBy: (model) => model.newest?.by ?? null,
  },
];
