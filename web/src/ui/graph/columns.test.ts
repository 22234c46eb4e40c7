import { expect, test } from "vitest";
import { columns } from "./columns";

const node = (id: string) => ({ id, width: 100, height: 40 });
const edge = (source: string, target: string) => ({ source, target });

test("whoever waits stands to the right of all that it waits for, and nobody on anybody", () => {
  const ids = Array.from({ length: 1_000 }, (_, index) => `n${index}`);
  const edges = ids.flatMap((id, index) =>
    [2, 3, 7].filter((step) => index >= step).map((step) => edge(`n${index - step}`, id)),
  );
  const { nodes, edges: drawn } = columns(ids.map(node), edges);
  for (const { source, target } of edges) expect(nodes.get(source)!.x + 100).toBeLessThan(nodes.get(target)!.x);
  expect(new Set([...nodes.values()].map(({ x, y }) => `${x} ${y}`)).size).toBe(1_000);
  expect(drawn).toHaveLength(edges.length);
});

test("a thousand steps beside each other are a block, no line", () => {
  const { width, height } = columns(
    Array.from({ length: 1_000 }, (_, index) => node(String(index))),
    [],
  );
  expect(width / height).toBeGreaterThan(0.3);
  expect(width / height).toBeLessThan(3);
});

test("a circle, which no sound spec has, still ends", () => {
  expect(columns([node("a"), node("b"), node("c")], [edge("a", "b"), edge("b", "a"), edge("b", "c")]).nodes.size).toBe(
    3,
  );
});
