/** Every trial of a search: sorted, filtered, and the way to its task. */
import { useMemo, useState } from "preact/hooks";
import type { Study as Answer } from "../../api/types";
import { Badge } from "../../ui/badge";
import { duration, number } from "../../ui/format";
import { Icon } from "../../ui/icons";
import { Empty } from "../../ui/states";
import { type Column, Table } from "../../ui/table";
import { lastValue, outcomes, type Trial, written } from "./model";
import { TONES } from "./Study";

interface Props {
  readonly study: Answer;
  readonly trials: readonly Trial[];
  readonly open: (task: string) => void;
}

export function Trials({ study, trials, open }: Props) {
  const [text, setText] = useState("");
  const [outcome, setOutcome] = useState("");
  const columns = useMemo(() => columnsOf(study), [study.task, study.space.length]);
  const rows = useMemo(
    () => trials.filter((trial) => (!outcome || trial.outcome === outcome) && fits(trial, text)),
    [trials, outcome, text],
  );
  return (
    <section class="stack" aria-labelledby="trials">
      <h2 id="trials">Trials</h2>
      <div class="row wrap">
        <label class="search study-search">
          <span class="unseen">Filter trials</span>
          <Icon name="search" />
          <input
            class="input"
            type="search"
            placeholder="depth=3, pruned, …"
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
          />
        </label>
        <div class="chips">
          {outcomes(trials).map(([name, count]) => (
            <button
              key={name}
              type="button"
              class="chip"
              aria-pressed={outcome === name}
              onClick={() => setOutcome(outcome === name ? "" : name)}
            >
              {name}
              <span class="count">{count}</span>
            </button>
          ))}
        </div>
      </div>
      <Table
        label="All trials"
        columns={columns}
        rows={rows}
        keyOf={(trial) => trial.task}
        onOpen={(trial) => open(trial.task)}
        sort={{ id: "trial", descending: false }}
        empty={<Empty title="No trial fits" next="Change the filter." icon="search" />}
      />
    </section>
  );
}

/** Each word has to be in how the trial ended, or in one of its parameters as `name=value`. */
function fits(trial: Trial, text: string): boolean {
  const told = [
    trial.outcome,
    String(trial.number),
    ...Object.entries(trial.params).map(([name, value]) => `${name}=${written(value)}`),
  ]
    .join(" ")
    .toLowerCase();
  return text
    .toLowerCase()
    .split(/\s+/)
    .every((word) => told.includes(word));
}

function columnsOf(study: Answer): Column<Trial>[] {
  return [
    { id: "trial", label: "Trial", width: "76px", cell: (trial) => trial.number, sortBy: (trial) => trial.number },
    {
      id: "outcome",
      label: "Ended",
      width: "118px",
      cell: (trial) => (
        <Badge tone={TONES[trial.outcome] ?? "idle"} title={trial.message || trial.reason}>
          {trial.outcome}
        </Badge>
      ),
      sortBy: (trial) => trial.outcome,
    },
    ...study.objectives.map(
      (objective): Column<Trial> => ({
        id: `value ${objective.name}`,
        label: objective.name,
        width: "120px",
        end: true,
        cell: (trial) => {
          const left = trial.values[objective.name];
          const last = lastValue(trial, objective.name);
          return left === undefined && last !== null ? (
            <span class="muted" title="The last value that it said">
              {number(last)}
            </span>
          ) : (
            number(left)
          );
        },
        sortBy: (trial) => lastValue(trial, objective.name),
      }),
    ),
    ...study.space
      .filter((dimension) => dimension.kind !== "fixed")
      .map(
        ({ name, kind }): Column<Trial> => ({
          id: `param ${name}`,
          label: name,
          width: "120px",
          wide: true,
          end: kind !== "choice",
          cell: (trial) =>
            trial.params[name] === undefined ? <span class="muted">–</span> : written(trial.params[name]),
          sortBy: (trial) => {
            const value = trial.params[name];
            return value === undefined ? null : typeof value === "number" ? value : written(value);
          },
        }),
      ),
    {
      id: "seconds",
      label: "Took",
      width: "96px",
      end: true,
      cell: (trial) =>
        trial.cached ? (
          <span class="muted">cached</span>
        ) : (
          duration(trial.seconds === null ? null : trial.seconds * 1000)
        ),
      sortBy: (trial) => trial.seconds,
    },
  ];
}
