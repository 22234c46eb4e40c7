/** The steps of a run as a graph, one level at a time. */
import { useMemo } from "preact/hooks";
import type { Graph as GraphAnswer, Node, NodeState } from "../../api/types";
import { now } from "../../app/session";
import { ORDER, PHASES } from "../../ui/badge";
import { Button } from "../../ui/button";
import { lasted, plural } from "../../ui/format";
import { Graph } from "../../ui/graph/Graph";
import { Icon } from "../../ui/icons";
import { Empty, Notice } from "../../ui/states";
import { Text } from "../../ui/text";
import { level, path } from "./fold";

interface GraphTabProps {
  readonly graph: GraphAnswer;
  readonly generation: number;
  readonly states: ReadonlyMap<string, NodeState>;
  readonly inside: string;
  readonly chosen?: string;
  readonly onChoose: (id: string) => void;
  readonly onEnter: (id: string) => void;
}

export function GraphTab({ graph, generation, states, inside, chosen, onChoose, onEnter }: GraphTabProps) {
  const shownLevel = useMemo(() => level(graph, inside), [graph, inside]);
  const byId = useMemo(() => new Map(graph.nodes.map((node) => [node.id, node])), [graph]);
  const nodes = shownLevel.nodes.map((node) => ({
    id: node.id,
    width: 208,
    height: 62,
    colour: `--${PHASES[states.get(node.id)?.phase ?? "Pending"].tone}-mark`,
  }));
  const edges = useMemo(
    () => shownLevel.edges.map((edge) => ({ ...edge, dashed: edge.kind === "order" })),
    [shownLevel],
  );
  if (graph.nodes.length === 0)
    return <Empty icon="graph" title="There is no graph" next="The spec is not sound: the message above says why." />;
  return (
    <div class="stack">
      {graph.leftOut > 0 && (
        <Notice tone="warn">Not drawn: {plural(graph.leftOut, "more step")}. The tab Steps has all of them.</Notice>
      )}
      <Graph
        label={`Graph of ${plural(nodes.length, "step")}. The tab Steps shows the same as a table.`}
        shape={`${generation}:${inside}:${nodes.length}:${edges.length}`}
        nodes={nodes}
        edges={edges}
        content={(id) => <Step node={byId.get(id)!} state={states.get(id)} />}
        chosen={chosen}
        onChoose={onChoose}
        height="clamp(300px, calc(100dvh - 330px), 900px)"
      >
        {inside && (
          <nav aria-label="Place in the graph">
            <ol class="crumbs">
              <li>
                <Button kind="quiet" onClick={() => onEnter("")}>
                  All steps
                </Button>
              </li>
              {path(graph, inside).map((node) => (
                <li key={node.id}>
                  <Icon name="right" size={12} />
                  <Button kind="quiet" onClick={() => onEnter(node.id)}>
                    <bdi>{node.name}</bdi>
                  </Button>
                </li>
              ))}
            </ol>
          </nav>
        )}
      </Graph>
    </div>
  );
}

function Step({ node, state }: { node: Node; state: NodeState | undefined }) {
  const phase = state?.phase ?? "Pending";
  const { tone, icon } = PHASES[phase];
  const isMany = state && Object.keys(state.counts).length > 0;
  return (
    <span
      class={`step tone-edge-${state?.waits ? "warn" : tone} ${phase === "Skipped" ? "is-skipped" : ""} ${node.role === "step" || node.role === "approval" ? "" : "is-many"}`}
    >
      <span class="row">
        <span class={`mark tone-${state?.waits ? "warn" : tone}`}>
          <span class="unseen">{phase}</span>
          <Icon name={state?.waits ? "hand" : icon} size={12} spin={phase === "Running" && !state?.waits} />
        </span>
        <span class="name clip">
          <Text text={node.name} title />
        </span>
        {state?.cached && (
          <span class="muted" title="Taken from an earlier run">
            <Icon name="bolt" size={12} />
          </span>
        )}
        {(state?.attempts ?? 0) > 1 && (
          <span class="muted num" title={`${state!.attempts} attempts`}>
            ×{state!.attempts}
          </span>
        )}
      </span>
      <span class="row below">
        <span class="kind">{node.role === "fold" ? `${plural(node.stands, "step")} alike` : node.kind}</span>
        {isMany ? <Counts state={state} /> : <Lasted state={state} />}
      </span>
    </span>
  );
}

function Lasted({ state }: { state: NodeState | undefined }) {
  if (!state) return null;
  if (state.waits) return <span class="waits">waits for you</span>;
  if (state.reason && state.phase === "Failed") return <span class="failed clip">{state.reason}</span>;
  if (state.started === null) return null;
  return <span class="muted num">{lasted(state.started, state.finished, state.finished ?? now.value)}</span>;
}

/** Of what stands for many: a bar of the phases, and how many have ended. */
function Counts({ state }: { state: NodeState }) {
  const all = Math.max(
    state.known,
    Object.values(state.counts).reduce((sum, count) => sum + count, 0),
    1,
  );
  const ended = (["Succeeded", "Failed", "Skipped", "Cancelled"] as const).reduce(
    (sum, phase) => sum + (state.counts[phase] ?? 0),
    0,
  );
  return (
    <>
      <span class="counts" title={counted(state.counts)}>
        {ORDER.filter((phase) => state.counts[phase]).map((phase) => (
          <span key={phase} class={`mark-${phase}`} style={{ width: `${(100 * state.counts[phase]!) / all}%` }} />
        ))}
      </span>
      <span class="muted num">
        {ended.toLocaleString("en-US")}/{all.toLocaleString("en-US")}
      </span>
    </>
  );
}

export function counted(counts: Readonly<Record<string, number>>): string {
  return ORDER.filter((phase) => counts[phase])
    .map((phase) => `${counts[phase]!.toLocaleString("en-US")} ${phase.toLowerCase()}`)
    .join(", ");
}
