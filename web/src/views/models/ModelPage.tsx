/** One model: its versions, what their metrics are, what its aliases mean and have meant, and the moves that a person may make. */
import { useState } from "preact/hooks";
import { get } from "../../api/client";
import type { Model, ModelVersion } from "../../api/types";
import { to } from "../../app/router";
import { mayIn, now } from "../../app/session";
import { Badge } from "../../ui/badge";
import { Button } from "../../ui/button";
import { ago, bytes, clock, number, shortDigest } from "../../ui/format";
import { Grid } from "../../ui/grid";
import { Icon } from "../../ui/icons";
import { useResource } from "../../ui/resource";
import { Failure, Loading, Notice } from "../../ui/states";
import { Crumbs } from "../shared/Crumbs";
import { before, deedOf, metricsOf } from "./model";
import { PromoteDialog, RollbackDialog } from "./moves";

interface Props {
  readonly namespace: string;
  readonly name: string;
}

export function ModelPage({ namespace, name }: Props) {
  const model = useResource(`${namespace} ${name}`, (signal) => get<Model>("model", { namespace, name }, signal));
  return (
    <div class="stack">
      <Crumbs root={["Models", to("models", { namespace })]} parts={[[name]]} />
      <h1>
        <bdi>{name}</bdi>
      </h1>
      {model.data ? (
        <Known namespace={namespace} model={model.data} again={model.reload} />
      ) : model.error ? (
        <Failure error={model.error} again={model.reload} />
      ) : (
        <Loading label="Reading the model" />
      )}
    </div>
  );
}

type Asked =
  | { readonly deed: "promote"; readonly version: ModelVersion }
  | { readonly deed: "rollback"; readonly alias: string }
  | null;

function Known({ namespace, model, again }: { namespace: string; model: Model; again: () => void }) {
  const [asked, ask] = useState<Asked>(null);
  const may = mayIn(namespace, "promote");
  return (
    <>
      <Aliases model={model} may={may} rollback={(alias) => ask({ deed: "rollback", alias })} />
      {!may && <Notice>You may look at models of this namespace, and not move their aliases.</Notice>}
      <section class="stack" aria-labelledby="versions">
        <h2 id="versions">Versions</h2>
        <ul class="models-versions">
          {model.versions.map((version) => (
            <Version
              key={version.number}
              namespace={namespace}
              model={model.name}
              version={version}
              promote={may ? () => ask({ deed: "promote", version }) : undefined}
            />
          ))}
        </ul>
      </section>
      <Metrics versions={model.versions} champion={model.aliases.champion} />
      <History model={model} />
      {asked?.deed === "promote" && (
        <PromoteDialog
          namespace={namespace}
          model={model}
          version={asked.version}
          onClose={() => ask(null)}
          onDone={again}
        />
      )}
      {asked?.deed === "rollback" && (
        <RollbackDialog
          namespace={namespace}
          model={model}
          alias={asked.alias}
          onClose={() => ask(null)}
          onDone={again}
        />
      )}
    </>
  );
}

function Aliases({ model, may, rollback }: { model: Model; may: boolean; rollback: (alias: string) => void }) {
  return (
    <ul class="models-aliases" aria-label="Aliases">
      {Object.entries(model.aliases).map(([alias, version]) => {
        const back = before(model, alias);
        return (
          <li key={alias} class="card">
            <div>
              <Badge tone={alias === "champion" ? "good" : "idle"}>{alias}</Badge>
              <p class="models-means">Version {version}</p>
            </div>
            {may && back !== null && (
              <Button icon="retry" onClick={() => rollback(alias)} title={`Have ${alias} mean version ${back} again`}>
                Roll back to {back}
              </Button>
            )}
          </li>
        );
      })}
    </ul>
  );
}

function Version({
  namespace,
  model,
  version,
  promote,
}: {
  namespace: string;
  model: string;
  version: ModelVersion;
  promote: (() => void) | undefined;
}) {
  const { made, digest, type } = version;
  return (
    <li class="card models-version">
      <div class="models-version-head">
        <h3>Version {version.number}</h3>
        {version.aliases.map((alias) => (
          <Badge key={alias} tone={alias === "champion" ? "good" : "idle"}>
            {alias}
          </Badge>
        ))}
      </div>
      <dl class="facts">
        <dt>Added</dt>
        <dd title={clock(version.added)}>
          {ago(version.added, now.value)} by <bdi>{version.by}</bdi>
        </dd>
        <dt>Left by</dt>
        <dd>
          {made ? (
            <a href={to("run", { namespace, run: made.uid, task: made.task })}>
              <bdi>
                {made.run} / {made.task}
              </bdi>
            </a>
          ) : (
            <span class="muted">not known</span>
          )}
        </dd>
        <dt>Content</dt>
        <dd>
          <code title={digest}>{shortDigest(digest)}</code>, {bytes(version.size)}
        </dd>
      </dl>
      <div class="row wrap models-ways">
        {promote && (
          <Button icon="up" onClick={promote} label={`Promote version ${version.number}`}>
            Promote
          </Button>
        )}
        <Button
          kind="quiet"
          icon="file"
          href={to("artifacts", { namespace, run: made?.uid, digest, name: made ? `${made.task}.model` : model, type })}
        >
          Look inside
        </Button>
        <Button kind="quiet" icon="branch" href={to("lineage", { namespace, digest })}>
          Lineage
        </Button>
      </div>
    </li>
  );
}

/** Versions whose metrics stand beside each other. */
const COLUMNS = 6;

function Metrics({ versions, champion }: { versions: readonly ModelVersion[]; champion: number | undefined }) {
  const shown = versions.slice(0, COLUMNS);
  const names = metricsOf(shown);
  if (names.length === 0) return null;
  return (
    <section class="stack" aria-labelledby="metrics">
      <h2 id="metrics">Metrics</h2>
      <Grid
        label="Metrics of the newest versions"
        look="models-table"
        columns={[
          { id: "metric", head: "Metric" },
          ...shown.map((version) => ({
            id: String(version.number),
            head: `Version ${version.number}${version.number === champion ? " (champion)" : ""}`,
            end: true,
          })),
        ]}
        rows={names.map((name) => ({
          id: name,
          head: <bdi>{name}</bdi>,
          cells: shown.map((version) =>
            version.metrics[name] === undefined ? <span class="muted">–</span> : number(version.metrics[name]),
          ),
        }))}
      />
    </section>
  );
}

function History({ model }: { model: Model }) {
  return (
    <section class="stack" aria-labelledby="moves">
      <h2 id="moves">Every move</h2>
      <ol class="models-moves">
        {model.moves.map((move) => (
          <li key={move.number}>
            <Icon name={move.isRollback ? "retry" : "up"} />
            <div class="grow">
              <p>
                <strong>{deedOf(move)}</strong> {move.isRollback && <Badge tone="warn">rolled back</Badge>}
              </p>
              {move.message && (
                <p>
                  <bdi>{move.message}</bdi>
                </p>
              )}
              <p class="muted" title={clock(move.at)}>
                {ago(move.at, now.value)} by <bdi>{move.by}</bdi>
              </p>
            </div>
          </li>
        ))}
      </ol>
    </section>
  );
}
