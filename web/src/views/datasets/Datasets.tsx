/** Datasets by name; with a name in the address its versions. */
import { useMemo } from "preact/hooks";
import { get } from "../../api/client";
import type { DatasetAnswer, DatasetsAnswer, DatasetVersion } from "../../api/types";
import { go, to } from "../../app/router";
import { now, session } from "../../app/session";
import type { ViewProps } from "../../app/view";
import { ago, bytes, clock, shortDigest } from "../../ui/format";
import { useResource } from "../../ui/resource";
import { Empty, Failure, Loading } from "../../ui/states";
import { type Column, Table } from "../../ui/table";
import { Copy } from "../../ui/yaml";
import { Crumbs } from "../shared/Crumbs";
import { Namespaces } from "../shared/Namespaces";

export default function Datasets({ query }: ViewProps) {
  const namespace = query.namespace || session.value?.namespace || "";
  const name = query.name ?? "";
  const columns = useMemo(() => columnsOf(namespace, name !== ""), [namespace, name]);
  const found = useResource(`${namespace} ${name}`, async (signal) =>
    name
      ? (await get<DatasetAnswer>("dataset", { namespace, name }, signal)).versions
      : (await get<DatasetsAnswer>("datasets", { namespace }, signal)).datasets,
  );
  const open = (one: DatasetVersion) =>
    name
      ? go("artifacts", { namespace, digest: one.digest, name: one.name, type: one.type })
      : go("datasets", { namespace, name: one.name });
  return (
    <div class="stack">
      {name && <Crumbs root={["Datasets", to("datasets", { namespace })]} parts={[[name]]} />}
      <div class="title">
        <h1 class="grow">{name ? <bdi>{name}</bdi> : "Datasets"}</h1>
        <Namespaces chosen={namespace} choose={(next) => go("datasets", { namespace: next })} />
      </div>
      {found.error ? (
        <Failure error={found.error} again={found.reload} />
      ) : !found.data ? (
        <Loading label="Reading the datasets" />
      ) : (
        <Table
          label={name ? `Versions of ${name}` : "Datasets"}
          columns={columns}
          rows={found.data}
          keyOf={(one) => `${one.name} ${one.digest} ${one.added}`}
          onOpen={open}
          empty={
            <Empty
              title="No dataset has a name yet"
              next={
                <>
                  Add one by <code>mlwf dataset add NAME FILE</code>, and take it in a workflow by{" "}
                  <code>{"from: {dataset: NAME}"}</code>.
                </>
              }
              icon="data"
            />
          }
        />
      )}
    </div>
  );
}

const columnsOf = (namespace: string, isVersions: boolean): readonly Column<DatasetVersion>[] => [
  isVersions
    ? {
        id: "digest",
        label: "Version",
        cell: (one) => (
          <span class="row">
            <a
              href={to("artifacts", { namespace, digest: one.digest, name: one.name, type: one.type })}
              title={one.digest}
            >
              <code>{shortDigest(one.digest)}</code>
            </a>
            <Copy text={`${one.name}@${one.digest}`} what="name and version" />
          </span>
        ),
      }
    : {
        id: "name",
        label: "Name",
        cell: (one) => (
          <a href={to("datasets", { namespace, name: one.name })}>
            <bdi>{one.name}</bdi>
          </a>
        ),
        sortBy: (one) => one.name,
      },
  { id: "size", label: "Size", width: "96px", end: true, cell: (one) => bytes(one.size), sortBy: (one) => one.size },
  {
    id: "added",
    label: isVersions ? "Added" : "Newest",
    width: "128px",
    cell: (one) => <span title={clock(one.added)}>{ago(one.added, now.value)}</span>,
    sortBy: (one) => one.added,
  },
  {
    id: "source",
    label: "Where from",
    wide: true,
    cell: (one) => <span title={one.source}>{one.source}</span>,
    sortBy: (one) => one.source,
  },
];
