/** What the workflow will do, before it does: its steps and what they wait for. */
import { useEffect, useState } from "preact/hooks";
import type { Graph } from "../../api/types";
import { plural } from "../../ui/format";
import { type Drawing, layout } from "../../ui/graph/layout";
import { pathOf } from "../../ui/graph/path";

const WIDTH = 116;
const HEIGHT = 40;
const LETTERS = 15;

export function Plan({ graph }: { graph: Graph }) {
  const [drawn, setDrawn] = useState<Drawing>();
  const nodes = graph.nodes.filter((node) => node.parent === "");
  const shown = new Set(nodes.map((node) => node.id));
  const key = JSON.stringify(graph);
  useEffect(() => {
    let isOver = false;
    const edges = graph.edges.filter((edge) => shown.has(edge.source) && shown.has(edge.target));
    layout({ nodes: nodes.map(({ id }) => ({ id, width: WIDTH, height: HEIGHT })), edges }, "DOWN").then(
      (found) => !isOver && setDrawn(found),
      () => undefined, // the text says all of it
    );
    return () => {
      isOver = true;
    };
  }, [key]);
  if (!drawn || nodes.length === 0) return null;
  return (
    <section class="card submit-plan" aria-labelledby="submit-plan">
      <h2 id="submit-plan">{plural(nodes.length, "step")}</h2>
      <div class="submit-drawing" tabIndex={0} role="group" aria-label="Plan">
        <svg
          width={drawn.width + 4}
          height={drawn.height + 4}
          viewBox={`-2 -2 ${drawn.width + 4} ${drawn.height + 4}`}
          role="img"
          aria-label={nodes.map((node) => `${node.name} (${node.kind})`).join(", ")}
        >
          {drawn.edges.map((edge, at) => (
            <path key={at} d={pathOf(edge.points)} class="edge" />
          ))}
          {nodes.map((node) => {
            const spot = drawn.nodes.get(node.id);
            return (
              spot && (
                <g key={node.id} transform={`translate(${spot.x} ${spot.y})`}>
                  <title>{`${node.name}: ${node.kind}`}</title>
                  <rect width={WIDTH} height={HEIGHT} rx="7" />
                  <text x="10" y="17" class="name">
                    {cut(node.name)}
                  </text>
                  <text x="10" y="32">
                    {cut(node.kind)}
                  </text>
                </g>
              )
            );
          })}
        </svg>
      </div>
    </section>
  );
}

function cut(text: string): string {
  return text.length > LETTERS ? `${text.slice(0, LETTERS - 1)}…` : text;
}
