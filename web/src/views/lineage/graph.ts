/** A lineage as a graph to be drawn and walked through: artifacts and the steps between them, in the direction of the data. Pure. */
import type { Lineage, LineageArtifact, LineageStep } from "../../api/types";
import { shortDigest } from "../../ui/format";

export interface LineageNode {
  readonly id: string;
  readonly title: string;
  readonly subtitle: string;
  readonly artifact?: LineageArtifact;
  readonly step?: LineageStep;
  /** The artifact that the lineage is of. */
  readonly isSubject: boolean;
}

export interface LineageEdge {
  readonly source: string;
  readonly target: string;
  /** Solid: data; dashed: what a task is made of, and whose result it took. */
  readonly kind: "made" | "used" | "part" | "cached";
  readonly name: string;
}

export interface LineageGraph {
  readonly nodes: readonly LineageNode[];
  readonly edges: readonly LineageEdge[];
}

/** Arrows between the same two nodes are one edge, with all of their names. */
export function graphOf(lineage: Lineage): LineageGraph {
  const artifacts = lineage.artifacts.map((artifact) => ({
    id: artifact.digest,
    title: artifact.name || shortDigest(artifact.digest),
    subtitle: artifact.isOutside ? "from outside" : shortDigest(artifact.digest),
    artifact,
    isSubject: artifact.digest === lineage.digest,
  }));
  const steps = lineage.steps.map((step) => ({
    id: step.id,
    title: step.task,
    subtitle: `${step.kind} · ${step.run}`,
    step,
    isSubject: false,
  }));
  const nodes: LineageNode[] = [...artifacts, ...steps];
  const known = new Set(nodes.map((node) => node.id));
  const edges = new Map<string, LineageEdge>();
  for (const { source, target, kind, name } of lineage.arrows) {
    if (!known.has(source) || !known.has(target)) continue;
    const key = `${source} ${target} ${kind}`;
    const before = edges.get(key);
    const names = [before?.name, name].filter(Boolean).join(", ");
    edges.set(key, { source, target, kind, name: names });
  }
  return { nodes, edges: [...edges.values()] };
}

export interface Spot {
  readonly x: number;
  readonly y: number;
}

export type Way = "left" | "right" | "up" | "down";

/**
 * Where an arrow key leads from a node: against the data, with it, or to the next one above or below. Of several the nearest; the node itself where
 * there is none.
 */
export function neighbour(graph: LineageGraph, spots: ReadonlyMap<string, Spot>, from: string, way: Way): string {
  const here = spots.get(from);
  if (!here) return from;
  const linked =
    way === "left"
      ? graph.edges.filter((edge) => edge.target === from).map((edge) => edge.source)
      : way === "right"
        ? graph.edges.filter((edge) => edge.source === from).map((edge) => edge.target)
        : [...spots]
            .filter(([, spot]) => Math.abs(spot.x - here.x) < 1 && (way === "up" ? spot.y < here.y : spot.y > here.y))
            .map(([id]) => id);
  const far = (id: string) => Math.abs((spots.get(id)?.y ?? Number.POSITIVE_INFINITY) - here.y);
  return linked.reduce((nearest, id) => (nearest === from || far(id) < far(nearest) ? id : nearest), from);
}

/** What a node comes from and what it leads to, as words for the table and for a screen reader. */
export function around(
  graph: LineageGraph,
  id: string,
): { readonly from: readonly LineageNode[]; readonly to: readonly LineageNode[] } {
  const byId = new Map(graph.nodes.map((node) => [node.id, node]));
  const named = (ids: readonly string[]) => [...new Set(ids)].flatMap((one) => byId.get(one) ?? []);
  return {
    from: named(graph.edges.filter((edge) => edge.target === id).map((edge) => edge.source)),
    to: named(graph.edges.filter((edge) => edge.source === id).map((edge) => edge.target)),
  };
}
