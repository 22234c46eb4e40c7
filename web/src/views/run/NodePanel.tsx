/** A place of the graph that stands for many tasks, or is inside of a group: its tasks, and the way in. */
import { useEffect } from "preact/hooks";
import { get } from "../../api/client";
import type { RunAnswer, TasksPage } from "../../api/types";
import { to } from "../../app/router";
import { Phase } from "../../ui/badge";
import { Button } from "../../ui/button";
import { plural } from "../../ui/format";
import { Notice } from "../../ui/states";
import { Text } from "../../ui/text";
import { counted } from "./GraphTab";
import type { RunStore } from "./store";
import { Tasks } from "./Tasks";

interface NodePanelProps {
  readonly store: RunStore;
  readonly answer: RunAnswer;
  readonly node: string;
  readonly onChoose: (task: string) => void;
  readonly onEnter: (node: string) => void;
  readonly onClose: () => void;
}

export function NodePanel({ store, answer, node: id, onChoose, onEnter, onClose }: NodePanelProps) {
  const node = answer.graph.nodes.find((each) => each.id === id);
  const state = store.nodes.value.get(id);
  const isOne = node?.role !== "fold" && Object.keys(state?.counts ?? {}).length === 0;
  useEffect(() => {
    if (!isOne) return;
    // A place that is one task only: it is shown at once.
    void get<TasksPage>("run/tasks", { ...store.which, node: id, limit: 2 }).then(
      (page) => page.total === 1 && page.rows[0] && onChoose(page.rows[0].task),
      () => undefined,
    );
  }, [id, isOne]);
  return (
    <aside class="panel card" aria-label={`Steps at ${id}`}>
      <header class="head">
        <h2 class="grow clip">
          <Text text={node?.name ?? id} title />
        </h2>
        <Button kind="quiet" icon="cross" label="Close the step" onClick={onClose} />
      </header>
      <div class="body stack">
        <div class="row wrap">
          {state && <Phase phase={state.phase} waits={state.waits} />}
          <span class="muted">{node?.kind}</span>
          <span class="grow" />
          {node?.hasInner && (
            <Button icon="graph" onClick={() => onEnter(id)}>
              Show what is inside
            </Button>
          )}
          {node?.role === "search" && (
            <Button icon="chart" href={to("study", { ...store.which, task: id })}>
              Open the search
            </Button>
          )}
          {node?.parent === "" && node.role !== "fold" && <Button onClick={() => onChoose(id)}>The step itself</Button>}
        </div>
        {node?.role === "fold" && <p class="muted">{plural(node.stands, "step")} alike are drawn as one.</p>}
        {state && Object.keys(state.counts).length > 0 && <p class="muted">{counted(state.counts)}</p>}
        {state?.message && (
          <Notice tone={state.phase === "Failed" ? "bad" : "idle"}>
            <Text text={state.message} />
          </Notice>
        )}
        <Tasks store={store} node={id} onChoose={onChoose} narrow height="50vh" />
      </div>
    </aside>
  );
}
