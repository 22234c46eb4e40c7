/**
 * Where the nodes of a graph stand, from left to right (or, where there is little width, downwards). Up to some hundreds of nodes by ELK (layered, in a worker), which takes minutes for thousands: those are
 * laid out in columns by `columns`, in milliseconds.
 */
import type { ELK, ElkNode } from "elkjs/lib/elk-api.js";
import { columns } from "./columns";

export interface Size {
  readonly id: string;
  readonly width: number;
  readonly height: number;
}

export interface Link {
  readonly source: string;
  readonly target: string;
}

export interface Drawing {
  /** Left upper corners. */
  readonly nodes: ReadonlyMap<string, { readonly x: number; readonly y: number }>;
  readonly edges: readonly (Link & { readonly points: readonly (readonly [number, number])[] })[];
  readonly width: number;
  readonly height: number;
}

/** More nodes, or more edges than this, are not for ELK. */
const NODES = 220;
const EDGES = 900;

let engine: Promise<ELK> | undefined;

export async function layout(
  graph: { readonly nodes: readonly Size[]; readonly edges: readonly Link[] },
  direction: "RIGHT" | "DOWN" = "RIGHT",
): Promise<Drawing> {
  const known = new Set(graph.nodes.map((node) => node.id));
  const edges = graph.edges.filter(
    (edge) => known.has(edge.source) && known.has(edge.target) && edge.source !== edge.target,
  );
  if (graph.nodes.length === 0) return { nodes: new Map(), edges: [], width: 0, height: 0 };
  if (graph.nodes.length > NODES || edges.length > EDGES) return columns(graph.nodes, edges);
  try {
    return await layered(graph.nodes, edges, direction);
  } catch {
    return columns(graph.nodes, edges); // a browser without workers, or a graph that ELK cannot draw
  }
}

async function layered(nodes: readonly Size[], edges: readonly Link[], direction: "RIGHT" | "DOWN"): Promise<Drawing> {
  engine ??= started();
  const elk = await engine;
  const found: ElkNode = await elk.layout({
    id: "root",
    layoutOptions: {
      "elk.algorithm": "layered",
      "elk.direction": direction,
      "elk.spacing.nodeNode": "18",
      "elk.layered.spacing.nodeNodeBetweenLayers": direction === "DOWN" ? "28" : "56",
      "elk.spacing.componentComponent": "32",
      "elk.layered.considerModelOrder.strategy": "NODES_AND_EDGES",
      "elk.layered.nodePlacement.strategy": nodes.length > 120 ? "BRANDES_KOEPF" : "NETWORK_SIMPLEX",
      "elk.edgeRouting": "SPLINES",
    },
    children: nodes.map((node) => ({ ...node })),
    edges: edges.map((edge, index) => ({ id: String(index), sources: [edge.source], targets: [edge.target] })),
  });
  const at = new Map((found.children ?? []).map((node: ElkNode) => [node.id, { x: node.x ?? 0, y: node.y ?? 0 }]));
  return {
    nodes: at,
    edges: (found.edges ?? []).map((edge) => {
      const section = edge.sections?.[0];
      const points = section ? [section.startPoint, ...(section.bendPoints ?? []), section.endPoint] : [];
      return { ...edges[Number(edge.id)]!, points: points.map((point) => [point.x, point.y] as const) };
    }),
    width: found.width ?? 0,
    height: found.height ?? 0,
  };
}

async function started(): Promise<ELK> {
  const [{ default: Elk }, { default: url }] = await Promise.all([
    import("elkjs/lib/elk-api.js"),
    import("elkjs/lib/elk-worker.min.js?url"),
  ]);
  return new Elk({ workerFactory: () => new Worker(url) });
}
