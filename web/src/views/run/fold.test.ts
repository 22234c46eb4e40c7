import { expect, test } from "vitest";
import type { Graph, Node } from "../../api/types";
import { level, path } from "./fold";

const node = (id: string, parent = "", more: Partial<Node> = {}): Node => ({
  id,
  name: id.split(".").at(-1)!,
  parent,
  kind: "container",
  role: "step",
  stands: 1,
  hasInner: false,
  at: "",
  when: "",
  ...more,
});
const edge = (source: string, target: string, kind: "data" | "value" | "order" = "data") => ({
  source,
  target,
  kind,
  artifacts: [],
});

const graph: Graph = {
  nodes: [
    node("prep"),
    node("folds", "", { role: "group", hasInner: true }),
    node("folds.split", "folds"),
    node("folds.fit", "folds"),
    node("report"),
  ],
  edges: [
    edge("prep", "folds.split"),
    edge("prep", "folds", "order"),
    edge("folds.split", "folds.fit"),
    edge("folds", "report"),
  ],
  leftOut: 0,
};

test("what waits inside of a group counts for the group, once, and by what carries most", () => {
  expect(level(graph, "").nodes.map(({ id }) => id)).toEqual(["prep", "folds", "report"]);
  expect(level(graph, "").edges).toEqual([
    { source: "prep", target: "folds", kind: "data" },
    { source: "folds", target: "report", kind: "data" },
  ]);
});

test("inside of a group are its own steps, and no edge to what is around", () => {
  expect(level(graph, "folds").nodes.map(({ id }) => id)).toEqual(["folds.split", "folds.fit"]);
  expect(level(graph, "folds").edges).toEqual([{ source: "folds.split", target: "folds.fit", kind: "data" }]);
  expect(path(graph, "folds.fit").map(({ id }) => id)).toEqual(["folds", "folds.fit"]);
});
