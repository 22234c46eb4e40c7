/** One level of a run's graph: the steps at a place, and what they wait for among each other. Pure. */
import type { Edge, Graph, Node } from "../../api/types";

export interface Level {
  readonly nodes: readonly Node[];
  readonly edges: readonly { readonly source: string; readonly target: string; readonly kind: Edge["kind"] }[];
}

const STRENGTH = { data: 2, value: 1, order: 0 } as const;

/** What is directly inside of `parent` (empty: the whole run). An edge from or to something deeper counts for what it is in; of several between two the one that carries most. */
export function level(graph: Graph, parent: string): Level {
  const parents = new Map(graph.nodes.map((node) => [node.id, node.parent]));
  const standsFor = (id: string): string | undefined => {
    for (let at: string | undefined = id; at; at = parents.get(at)) if (parents.get(at) === parent) return at;
    return undefined;
  };
  const edges = new Map<string, Level["edges"][number]>();
  for (const edge of graph.edges) {
    const [source, target] = [standsFor(edge.source), standsFor(edge.target)];
    if (source === undefined || target === undefined || source === target) continue;
    const key = `${source}\n${target}`;
    const before = edges.get(key);
    if (!before || STRENGTH[edge.kind] > STRENGTH[before.kind]) edges.set(key, { source, target, kind: edge.kind });
  }
  return { nodes: graph.nodes.filter((node) => node.parent === parent), edges: [...edges.values()] };
}

/** The nodes around a node, outermost first, itself last. */
export function path(graph: Graph, id: string): readonly Node[] {
  const byId = new Map(graph.nodes.map((node) => [node.id, node]));
  const found: Node[] = [];
  for (let node = byId.get(id); node; node = byId.get(node.parent)) found.unshift(node);
  return found;
}
