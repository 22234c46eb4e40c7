/** The tasks of a run as a table, in pages: all of them, those at a place of the graph, or the parts of one. */
import { signal } from "@preact/signals";
import { useEffect, useMemo, useState } from "preact/hooks";
import { asProblem, get } from "../../api/client";
import type { Problem, TaskRow, TasksPage } from "../../api/types";
import { now } from "../../app/session";
import { ORDER, Phase } from "../../ui/badge";
import { clock, inline, lasted, number, plural } from "../../ui/format";
import { Icon } from "../../ui/icons";
import { Empty, Failure, Loading } from "../../ui/states";
import { type Column, Table } from "../../ui/table";
import { Text } from "../../ui/text";
import type { RunStore } from "./store";
import { useSlow } from "./Timeline";

const LIMIT = 200;

interface TasksProps {
  readonly store: RunStore;
  readonly node?: string;
  readonly below?: string;
  readonly chosen?: string;
  readonly onChoose: (task: string) => void;
  readonly height?: string;
  /** Beside something else: fewer columns. */
  readonly narrow?: boolean;
}

const NAME: Column<TaskRow> = { id: "task", label: "Step", cell: (row) => <Text text={row.task} title /> };
const PHASE: Column<TaskRow> = {
  id: "phase",
  label: "Phase",
  width: "144px",
  cell: (row) => <Phase phase={row.phase} />,
};
const TOOK: Column<TaskRow> = {
  id: "took",
  label: "Duration",
  width: "104px",
  end: true,
  cell: (row) => lasted(row.started, row.finished, row.finished ?? now.value),
};
const WIDE: readonly Column<TaskRow>[] = [
  NAME,
  PHASE,
  { ...TOOK, wide: true },
  {
    id: "started",
    label: "Started",
    width: "184px",
    wide: true,
    cell: (row) => <span class="num">{clock(row.started)}</span>,
  },
  {
    id: "attempts",
    label: "Attempts",
    width: "84px",
    end: true,
    wide: true,
    cell: (row) =>
      row.cached ? (
        <span title="Taken from an earlier run">
          <Icon name="bolt" size={12} /> cached
        </span>
      ) : (
        row.attempts || ""
      ),
  },
  { id: "message", label: "Message", wide: true, cell: (row) => <span class="muted">{said(row)}</span> },
];

export function Tasks({ store, node, below, chosen, onChoose, height, narrow }: TasksProps) {
  const [phases, setPhases] = useState<readonly string[]>([]);
  const [typed, type] = useState("");
  const text = useSlow(typed, 300);
  const pages = usePages(store, { node, below, phase: phases.join(","), text });
  const page = pages.page.value;
  const rows = pages.rows.value;
  const hasValues = rows.some((row) => row.value !== null);
  const columns = useMemo(
    () =>
      narrow
        ? [NAME, PHASE, ...(hasValues ? [VALUE] : []), TOOK]
        : hasValues
          ? [...WIDE.slice(0, 2), VALUE, ...WIDE.slice(2)]
          : WIDE,
    [narrow, hasValues],
  );
  const error = pages.problem.value;
  if (!page) return error ? <Failure error={error} again={pages.again} /> : <Loading label="Reading the steps" />;
  return (
    <div class="stack">
      <div class="filters">
        <label class="search grow">
          <span class="unseen">Search in names and messages of steps</span>
          <Icon name="search" />
          <input
            class="input"
            type="search"
            placeholder="Search steps"
            value={typed}
            onInput={(event) => type(event.currentTarget.value)}
          />
        </label>
        <div class="chips" role="group" aria-label="Phases">
          {ORDER.filter((phase) => page.phases[phase] || phases.includes(phase)).map((phase) => (
            <button
              key={phase}
              type="button"
              class="chip"
              aria-pressed={phases.includes(phase)}
              onClick={() =>
                setPhases(phases.includes(phase) ? phases.filter((each) => each !== phase) : [...phases, phase])
              }
            >
              <span class={`dot mark-${phase}`} aria-hidden="true" />
              {phase}
              <span class="count">{(page.phases[phase] ?? 0).toLocaleString("en-US")}</span>
            </button>
          ))}
        </div>
      </div>
      <Table
        label="Steps"
        columns={columns}
        rows={rows}
        keyOf={(row) => row.task}
        total={page.total - page.unlisted}
        onEnd={pages.more}
        onOpen={(row) => onChoose(row.task)}
        current={chosen}
        height={rows.length > 14 ? height : undefined}
        empty={
          <Empty
            icon="list"
            title={phases.length || text ? "No step fits" : "No steps yet"}
            next={
              phases.length || text
                ? "Fewer words or other phases may help."
                : "They show up when the run has been looked at."
            }
          />
        }
      />
      {page.unlisted > 0 && (
        <p class="muted">{plural(page.unlisted, "more step")} succeeded, and are not listed one by one any more.</p>
      )}
    </div>
  );
}

const VALUE: Column<TaskRow> = {
  id: "value",
  label: "Value",
  width: "92px",
  end: true,
  cell: (row) => number(row.value),
};

function said(row: TaskRow) {
  const params = Object.entries(row.params)
    .map(([name, value]) => `${name}=${inline(value, 40)}`)
    .join("  ");
  return (
    <Text
      text={[row.reason, row.message || params || (row.isComposed ? row.progress : "")].filter(Boolean).join(": ")}
      title
    />
  );
}

interface Asked {
  readonly node?: string;
  readonly below?: string;
  readonly phase: string;
  readonly text: string;
}

/** Pages as the reader scrolls; when tasks have changed those that are there are fetched again. */
function usePages(store: RunStore, asked: Asked): Pages {
  const key = JSON.stringify([store.namespace, store.run, asked]);
  const pages = useMemo(() => new Pages(store, asked), [key]);
  const revision = useSlow(store.state.value?.revision ?? 0, 1_500);
  useEffect(() => {
    void pages.again();
  }, [pages, revision]);
  return pages;
}

class Pages {
  readonly page = signal<TasksPage | undefined>(undefined);
  readonly rows = signal<readonly TaskRow[]>([]);
  readonly problem = signal<Problem | undefined>(undefined);
  private isAsking = false;

  constructor(
    private readonly store: RunStore,
    private readonly asked: Asked,
  ) {}

  readonly again = () => this.read(Math.max(LIMIT, this.rows.value.length), true);
  readonly more = () => this.read(LIMIT, false);

  private async read(count: number, isAnew: boolean): Promise<void> {
    if (this.isAsking) return;
    this.isAsking = true;
    try {
      let rows = isAnew ? [] : this.rows.value;
      let cursor = isAnew ? "" : (this.page.value?.next ?? "");
      const wanted = rows.length + count;
      do {
        const page: TasksPage = await get<TasksPage>("run/tasks", {
          ...this.store.which,
          ...this.asked,
          cursor,
          limit: Math.min(500, count),
        });
        rows = [...rows, ...page.rows];
        cursor = page.next;
        this.page.value = page;
      } while (cursor && rows.length < wanted);
      this.rows.value = rows;
      this.problem.value = undefined;
    } catch (error) {
      this.problem.value = asProblem(error);
    } finally {
      this.isAsking = false;
    }
  }
}
