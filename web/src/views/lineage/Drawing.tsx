/** The graph of a lineage. One stop of the Tab key; the arrow keys go along its arrows. */
import { useEffect, useRef, useState } from "preact/hooks";
import { asProblem } from "../../api/client";
import { layout, type Drawing as Placed } from "../../ui/graph/layout";
import { pathOf } from "../../ui/graph/path";
import { Loading, Notice } from "../../ui/states";
import { type LineageGraph, neighbour, type Way } from "./graph";

const WIDTH = 190;
const HEIGHT = 46;
const LETTERS = 24;
const EDGE = 12;
const MOST_HEIGHT = 640;
const WAYS: Readonly<Record<string, Way>> = {
  ArrowLeft: "left",
  ArrowRight: "right",
  ArrowUp: "up",
  ArrowDown: "down",
};

interface Props {
  readonly graph: LineageGraph;
  readonly chosen: string;
  readonly choose: (id: string) => void;
}

export function Drawing({ graph, chosen, choose }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const [drawn, setDrawn] = useState<Placed>();
  const [problem, setProblem] = useState("");
  const [zoom, setZoom] = useState(1);
  const wants = useRef(false);

  useEffect(() => {
    let isOver = false;
    layout({
      nodes: graph.nodes.map(({ id }) => ({ id, width: WIDTH, height: HEIGHT })),
      edges: [...graph.edges],
    }).then(
      (found) => {
        if (isOver) return;
        setDrawn(found);
        if (place.current) setZoom(fitting(place.current, found, 0.7));
      },
      (error: unknown) => !isOver && setProblem(asProblem(error).message),
    );
    return () => {
      isOver = true;
    };
  }, [graph]);

  useEffect(() => {
    const box = place.current;
    const spot = drawn?.nodes.get(chosen);
    if (!box || !spot) return;
    box.scrollTo({
      left: (spot.x + WIDTH / 2) * zoom - box.clientWidth / 2,
      top: (spot.y + HEIGHT / 2) * zoom - box.clientHeight / 2,
    });
    if (wants.current) box.querySelector<SVGGElement>(".lineage-node[tabindex='0']")?.focus({ preventScroll: true });
    wants.current = false;
  }, [drawn, chosen, zoom]);

  if (problem) return <Notice tone="bad">The graph cannot be drawn: {problem}. The table has all of it.</Notice>;
  if (!drawn)
    return (
      <div class="lineage-place" ref={place}>
        <Loading label="Drawing" />
      </div>
    );
  const press = (event: KeyboardEvent) => {
    const way = WAYS[event.key];
    if (!way) return;
    event.preventDefault();
    const next = neighbour(graph, drawn.nodes, chosen, way);
    if (next === chosen) return;
    wants.current = true;
    choose(next);
  };
  const fit = () => {
    if (place.current) setZoom(fitting(place.current, drawn, 0.3));
  };
  return (
    <div class="lineage-drawing">
      <div class="row lineage-tools">
        <button type="button" class="button" onClick={fit}>
          Fit
        </button>
        <button type="button" class="button" aria-pressed={zoom === 1} onClick={() => setZoom(1)}>
          100 %
        </button>
        <span class="muted lineage-legend">
          <span class="swatch is-artifact" /> artifact <span class="swatch is-step" /> step
        </span>
      </div>
      <div class="lineage-place" ref={place}>
        <svg
          width={(drawn.width + 2 * EDGE) * zoom}
          height={(drawn.height + 2 * EDGE) * zoom}
          viewBox={`${-EDGE} ${-EDGE} ${drawn.width + 2 * EDGE} ${drawn.height + 2 * EDGE}`}
          role="group"
          aria-label="Lineage. Arrow keys go along the arrows."
          onKeyDown={press}
        >
          <defs>
            <marker
              id="lineage-tip"
              viewBox="0 0 8 8"
              refX="7"
              refY="4"
              markerUnits="userSpaceOnUse"
              markerWidth="9"
              markerHeight="9"
              orient="auto-start-reverse"
            >
              <path d="M0 0.5L8 4L0 7.5z" />
            </marker>
          </defs>
          {drawn.edges.map((edge, at) => (
            <path
              key={at}
              d={pathOf(edge.points)}
              marker-end="url(#lineage-tip)"
              class={`lineage-edge ${isDashed(graph, edge.source, edge.target) ? "is-dashed" : ""} ${edge.source === chosen || edge.target === chosen ? "is-chosen" : ""}`}
            />
          ))}
          {graph.nodes.map((node) => {
            const spot = drawn.nodes.get(node.id);
            if (!spot) return null;
            const kind = node.step ? "is-step" : "is-artifact";
            const isChosen = node.id === chosen;
            return (
              <g
                key={node.id}
                class={`lineage-node ${kind} ${isChosen ? "is-chosen" : ""} ${node.isSubject ? "is-subject" : ""}`}
                transform={`translate(${spot.x} ${spot.y})`}
                role="button"
                tabindex={isChosen ? 0 : -1}
                aria-pressed={isChosen}
                onClick={() => choose(node.id)}
                onKeyDown={(event) => (event.key === "Enter" || event.key === " ") && choose(node.id)}
              >
                <title>{`${node.title}\n${node.subtitle}, ${node.step ? "step" : "artifact"}`}</title>
                <rect width={WIDTH} height={HEIGHT} rx={node.step ? 6 : 23} />
                <text x={node.step ? 12 : 18} y={19} class="title">
                  {cut(node.title)}
                </text>
                <text x={node.step ? 12 : 18} y={36}>
                  {cut(node.subtitle)}
                </text>
              </g>
            );
          })}
        </svg>
      </div>
    </div>
  );
}

/** The zoom at which all of it can be seen, as far as it can be read then. */
function fitting(box: HTMLElement, { width, height }: Placed, least: number): number {
  const room = Math.min((box.clientWidth - 2 * EDGE - 4) / width, (MOST_HEIGHT - 2 * EDGE) / height);
  return Math.max(least, Math.min(1, room));
}

function isDashed(graph: LineageGraph, source: string, target: string): boolean {
  return graph.edges.some(
    (edge) => edge.source === source && edge.target === target && (edge.kind === "part" || edge.kind === "cached"),
  );
}

function cut(text: string): string {
  return text.length > LETTERS ? `${text.slice(0, LETTERS - 1)}…` : text;
}
