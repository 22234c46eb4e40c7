/** A layered drawing of large graphs in linear time: the column of a node is the longest way to it, its place there follows from those it waits for. Pure. */
import type { Drawing, Link, Size } from "./layout";

const ACROSS = 56;
const DOWN = 14;
/** A column that is higher than this goes on beside itself. */
const MOST = 60;

export function columns(nodes: readonly Size[], edges: readonly Link[]): Drawing {
  const into = new Map<string, string[]>(nodes.map((node) => [node.id, []]));
  const out = new Map<string, string[]>(nodes.map((node) => [node.id, []]));
  for (const { source, target } of edges) {
    into.get(target)!.push(source);
    out.get(source)!.push(target);
  }
  const depth = depths(nodes, into, out);
  const layers: Size[][] = Array.from({ length: Math.max(...depth.values()) + 1 }, () => []);
  for (const node of nodes) layers[depth.get(node.id)!]!.push(node);

  const at = new Map<string, { x: number; y: number }>();
  const tallest = Math.min(MOST, Math.max(...layers.map((layer) => layer.length)));
  const step = Math.max(...nodes.map((node) => node.height)) + DOWN;
  let x = 0;
  for (const layer of layers) {
    const middle = (node: Size) => {
      const before = into.get(node.id)!;
      return before.length ? before.reduce((sum, id) => sum + (at.get(id)?.y ?? 0), 0) / before.length : 0;
    };
    const ordered = layer
      .map((node, index) => ({ node, index, y: middle(node) }))
      .sort((a, b) => a.y - b.y || a.index - b.index);
    for (let first = 0; first < ordered.length; first += MOST) {
      const part = ordered.slice(first, first + MOST);
      const top = ((tallest - part.length) * step) / 2;
      part.forEach(({ node }, place) => {
        at.set(node.id, { x, y: top + place * step });
      });
      x += Math.max(...part.map(({ node }) => node.width)) + (first + MOST < ordered.length ? DOWN : ACROSS);
    }
  }
  const sizes = new Map(nodes.map((node) => [node.id, node]));
  return {
    nodes: at,
    edges: edges.map((edge) => {
      const [from, to] = [at.get(edge.source)!, at.get(edge.target)!];
      const [a, b] = [sizes.get(edge.source)!, sizes.get(edge.target)!];
      const [x1, y1, x2, y2] = [from.x + a.width, from.y + a.height / 2, to.x, to.y + b.height / 2];
      const bend = Math.max(24, Math.min(90, (x2 - x1) / 2));
      return {
        ...edge,
        points: [
          [x1, y1],
          [x1 + bend, y1],
          [x2 - bend, y2],
          [x2, y2],
        ] as const,
      };
    }),
    width: x - ACROSS,
    height: tallest * step - DOWN,
  };
}

function depths(
  nodes: readonly Size[],
  into: ReadonlyMap<string, string[]>,
  out: ReadonlyMap<string, string[]>,
): Map<string, number> {
  const depth = new Map<string, number>();
  const open = new Map(nodes.map((node) => [node.id, into.get(node.id)!.length]));
  const ready = nodes.filter((node) => open.get(node.id) === 0).map((node) => node.id);
  for (const id of ready) depth.set(id, 0);
  for (let next = 0; next < ready.length; next++) {
    const id = ready[next]!;
    for (const after of out.get(id)!) {
      depth.set(after, Math.max(depth.get(after) ?? 0, depth.get(id)! + 1));
      open.set(after, open.get(after)! - 1);
      if (open.get(after) === 0) ready.push(after);
    }
  }
  for (const node of nodes)
    if (!depth.has(node.id) || open.get(node.id)! > 0) depth.set(node.id, depth.get(node.id) ?? 0); // a circle: there is none in a sound spec
  return depth;
}
