/** The runs that are compared, and a field to find another one by its name. */
import { useState } from "preact/hooks";
import { get } from "../../api/client";
import type { RunsPage } from "../../api/types";
import { Phase } from "../../ui/badge";
import { clock } from "../../ui/format";
import { Icon } from "../../ui/icons";
import { useResource } from "../../ui/resource";
import { MOST_RUNS } from "./Compare";

interface Props {
  /** `namespace/run` of each. */
  readonly chosen: readonly string[];
  readonly choose: (runs: readonly string[]) => void;
}

const FOUND = 8;

export function Picker({ chosen, choose }: Props) {
  const [text, setText] = useState("");
  const [isOpen, setOpen] = useState(chosen.length < 2);
  const found = useResource(isOpen ? text : null, (signal) =>
    get<RunsPage>("runs", { text, limit: FOUND + chosen.length }, signal),
  );
  const rows = (found.data?.rows ?? []).filter((row) => !chosen.includes(`${row.namespace}/${row.id}`)).slice(0, FOUND);
  return (
    <div class="card compare-picker">
      <ul class="chips">
        {chosen.map((run) => (
          <li key={run}>
            <button
              type="button"
              class="chip"
              onClick={() => choose(chosen.filter((each) => each !== run))}
              aria-label={`Leave out ${run}`}
            >
              <bdi>{run}</bdi>
              <Icon name="cross" size={10} />
            </button>
          </li>
        ))}
      </ul>
      {chosen.length < MOST_RUNS && (
        <label class="search">
          <span class="unseen">Find a run to compare</span>
          <Icon name="search" />
          <input
            id="compare-pick"
            class="input"
            type="search"
            autocomplete="off"
            placeholder="Find a run to compare"
            value={text}
            onFocus={() => setOpen(true)}
            onInput={(event) => setText(event.currentTarget.value)}
          />
        </label>
      )}
      {isOpen && rows.length > 0 && chosen.length < MOST_RUNS && (
        <ul class="compare-found">
          {rows.map((row) => (
            <li key={row.uid}>
              <button
                type="button"
                onClick={() => {
                  choose([...chosen, `${row.namespace}/${row.id}`]);
                  setText("");
                  if (chosen.length > 0) setOpen(false);
                }}
              >
                <span class="clip">
                  <bdi>{row.id}</bdi> <span class="muted">{row.namespace}</span>
                </span>
                <Phase phase={row.phase} />
                <span class="muted num narrow-gone">{clock(row.started ?? row.created)}</span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
