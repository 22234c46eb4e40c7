/** Every run: by phase, by words, by namespace; as they change. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { RunRow } from "../../api/types";
import { go, place, refine, to } from "../../app/router";
import { mayIn, now, session } from "../../app/session";
import { useShortcuts } from "../../app/shortcuts";
import type { ViewProps } from "../../app/view";
import { ORDER, Phase } from "../../ui/badge";
import { Button } from "../../ui/button";
import { ago, clock, inline, lasted, plural, share } from "../../ui/format";
import { Icon } from "../../ui/icons";
import { Empty, Failure, Loading, Notice, Said } from "../../ui/states";
import { type Column, Table } from "../../ui/table";
import { keyOf, useRuns } from "./list";
import "./runs.css";

const COLUMNS: readonly Column<RunRow>[] = [
  {
    id: "name",
    label: "Run",
    sortBy: true,
    cell: (row) => (
      <a href={to("run", { namespace: row.namespace, run: row.id })} tabIndex={-1} title={row.id}>
        <bdi>{row.id}</bdi>
      </a>
    ),
  },
  {
    id: "phase",
    label: "Phase",
    width: "152px",
    cell: (row) => <Phase phase={row.phase} waits={row.waiting > 0 && row.phase === "Running"} />,
  },
  { id: "progress", label: "Progress", width: "120px", wide: true, cell: (row) => <Progress row={row} /> },
  {
    id: "namespace",
    label: "Namespace",
    width: "120px",
    wide: true,
    cell: (row) => <bdi class="muted">{row.namespace}</bdi>,
  },
  {
    id: "started",
    label: "Started",
    width: "112px",
    wide: true,
    sortBy: true,
    cell: (row) => <span title={clock(row.started ?? row.created)}>{ago(row.started ?? row.created, now.value)}</span>,
  },
  {
    id: "duration",
    label: "Duration",
    width: "104px",
    end: true,
    wide: true,
    sortBy: true,
    cell: (row) => lasted(row.started, row.finished, now.value),
  },
  {
    id: "message",
    label: "Message",
    wide: true,
    cell: (row) => (
      <bdi class="muted" title={row.message}>
        {row.message || parameters(row)}
      </bdi>
    ),
  },
];

export default function Runs({ query }: ViewProps) {
  const filter = {
    namespace: query.namespace ?? "",
    phase: query.phase ?? "",
    text: query.text ?? "",
    sort: query.sort ?? "-started",
  };
  const { rows, page, problem, more } = useRuns(filter);
  const [chosen, choose] = useState<ReadonlySet<string>>(new Set());
  const search = useRef<HTMLInputElement>(null);
  useShortcuts([{ keys: "/", label: "Search runs", act: () => search.current?.focus() }]);

  const phases = filter.phase ? filter.phase.split(",") : [];
  const isFiltered = filter.namespace !== "" || filter.phase !== "" || filter.text !== "";
  const hasMany = (page?.namespaces.length ?? 0) > 1 || filter.namespace !== "";
  const columns = hasMany ? COLUMNS : COLUMNS.filter((column) => column.id !== "namespace");
  const picked = rows.filter((row) => chosen.has(keyOf(row)));

  return (
    <>
      <header class="title">
        <h1>Runs</h1>
        {page && <span class="muted num">{plural(page.total, "run")}</span>}
        {page?.isLoading && (
          <span class="muted row" role="status">
            <Icon name="spin" size={14} spin /> reading the rest…
          </span>
        )}
        <span class="grow" />
        {session.value && mayIn(session.value.namespace, "submit") && (
          <Button kind="primary" icon="plus" href={to("submit")}>
            New run
          </Button>
        )}
      </header>
      <section class="filters" aria-label="Filter">
        <Search value={filter.text} element={search} />
        {hasMany && (
          <label class="namespaces">
            <span class="unseen">Namespace</span>
            <select
              class="input"
              value={filter.namespace}
              onChange={(event) => refine({ namespace: event.currentTarget.value })}
            >
              <option value="">All namespaces</option>
              {[...new Set([...(page?.namespaces ?? []), ...(filter.namespace ? [filter.namespace] : [])])].map(
                (name) => (
                  <option key={name} value={name}>
                    {name}
                  </option>
                ),
              )}
            </select>
          </label>
        )}
        <div class="chips" role="group" aria-label="Phases">
          {ORDER.filter(
            (phase) => phase !== "Skipped" && ((page?.phases[phase] ?? 0) > 0 || phases.includes(phase)),
          ).map((phase) => (
            <button
              key={phase}
              type="button"
              class="chip"
              aria-pressed={phases.includes(phase)}
              onClick={() =>
                refine({
                  phase: (phases.includes(phase) ? phases.filter((each) => each !== phase) : [...phases, phase]).join(
                    ",",
                  ),
                })
              }
            >
              <span class={`dot mark-${phase}`} aria-hidden="true" />
              {phase}
              <span class="count">{(page?.phases[phase] ?? 0).toLocaleString("en-US")}</span>
            </button>
          ))}
          {isFiltered && (
            <Button kind="quiet" icon="cross" onClick={() => refine({ namespace: "", phase: "", text: "" })}>
              Clear
            </Button>
          )}
        </div>
      </section>
      {page?.problems.map((each) => (
        <Notice key={each.message} tone="warn">
          <Said problem={each} />
        </Notice>
      ))}
      {problem && page && (
        <Notice tone="warn">
          <Said problem={problem} />
        </Notice>
      )}
      {chosen.size > 0 && (
        <div class="chosen" role="region" aria-label="Chosen runs">
          <span class="num">{plural(chosen.size, "run")} chosen</span>
          <Button
            icon="compare"
            kind="primary"
            disabled={chosen.size < 2 || chosen.size > 8}
            onClick={() => go("compare", { runs: [...chosen].join(",") })}
          >
            Compare
          </Button>
          {chosen.size < 2 && <span class="muted">Choose one more to compare.</span>}
          {chosen.size > 8 && <span class="muted">Up to 8 can be compared.</span>}
          <span class="grow" />
          <Button kind="quiet" onClick={() => choose(new Set())}>
            Choose none
          </Button>
        </div>
      )}
      {!page ? (
        problem ? (
          <Failure error={problem} />
        ) : (
          <Loading label="Reading runs" />
        )
      ) : (
        <Table
          label="Runs"
          columns={columns}
          rows={rows}
          keyOf={keyOf}
          total={page.total}
          onEnd={more}
          onOpen={(row) => go("run", { namespace: row.namespace, run: row.id })}
          selected={chosen}
          onSelect={choose}
          sort={{ id: filter.sort.replace(/^-/, ""), descending: filter.sort.startsWith("-") }}
          onSort={({ id, descending }) => refine({ sort: descending ? `-${id}` : id })}
          height={rows.length > 12 ? "calc(100dvh - 190px)" : undefined}
          empty={isFiltered ? <NoneFit /> : page.isLoading ? <Loading label="Reading runs" /> : <NoneYet />}
        />
      )}
      {picked.length === 0 && place.value.query.text && rows.length > 0 && (
        <p class="unseen" role="status">
          {plural(page?.total ?? 0, "run")} found
        </p>
      )}
    </>
  );
}

function Search({ value, element }: { value: string; element: { current: HTMLInputElement | null } }) {
  const [text, set] = useState(value);
  useEffect(() => set(value), [value]);
  useEffect(() => {
    if (text === value) return;
    const timer = window.setTimeout(() => refine({ text }), 250);
    return () => window.clearTimeout(timer);
  }, [text]);
  return (
    <label class="search grow">
      <span class="unseen">Search in names, messages and parameters</span>
      <Icon name="search" />
      <input
        ref={element}
        class="input"
        type="search"
        placeholder="Search names, messages, parameters"
        value={text}
        onInput={(event) => set(event.currentTarget.value)}
        onKeyDown={(event) => event.key === "Escape" && set("")}
      />
    </label>
  );
}

function Progress({ row }: { row: RunRow }) {
  const part = share(row.progress);
  return (
    <span class="progress" title={`${row.progress} steps have ended`}>
      <span class="bar" aria-hidden="true">
        <span class={`mark-${row.phase}`} style={{ width: `${(part ?? 0) * 100}%` }} />
      </span>
      <span class="num">{row.progress}</span>
    </span>
  );
}

function NoneFit() {
  return (
    <Empty icon="search" title="No run fits" next="Fewer words or other phases may help.">
      <Button onClick={() => refine({ namespace: "", phase: "", text: "" })}>Show all runs</Button>
    </Empty>
  );
}

function NoneYet() {
  const how =
    session.value?.mode === "local" ? (
      <>
        Start one on this machine: <code>mlwf run FILE</code>
      </>
    ) : (
      <>
        Start one: <code>kubectl apply -f FILE</code> or <code>mlwf submit FILE</code>
      </>
    );
  return (
    <Empty icon="runs" title="No runs yet" next={how}>
      {session.value && mayIn(session.value.namespace, "submit") && (
        <Button kind="primary" icon="plus" href={to("submit")}>
          New run
        </Button>
      )}
    </Empty>
  );
}

function parameters(row: RunRow): string {
  return Object.entries(row.params)
    .map(([name, value]) => `${name}=${inline(value, 40)}`)
    .join("  ");
}
