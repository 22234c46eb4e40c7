import { expect, test } from "vitest";
import type { Lineage } from "../../api/types";
import { around, graphOf, neighbour } from "./graph";

const step = (id: string) => ({
  id,
  run: "iris",
  uid: "u",
  task: id,
  attempt: 0,
  kind: "train",
  image: "",
  code: "",
  params: {},
  parameters: {},
  metrics: {},
  cachedFrom: "",
});
const LINEAGE: Lineage = {
  digest: "sha256:model",
  artifacts: [
    { digest: "sha256:data", name: "data", size: 1, type: "file", isOutside: true },
    { digest: "sha256:model", name: "train.model", size: 1, type: "directory", isOutside: false },
    { digest: "sha256:other", name: "", size: 1, type: "file", isOutside: true },
  ],
  steps: [step("train")],
  arrows: [
    { source: "sha256:data", target: "train", kind: "used", name: "train" },
    { source: "sha256:data", target: "train", kind: "used", name: "test" },
    { source: "sha256:other", target: "train", kind: "used", name: "code" },
    { source: "train", target: "sha256:model", kind: "made", name: "model" },
    { source: "train", target: "sha256:gone", kind: "made", name: "gone" },
  ],
  leftOut: 0,
};

test("arrows between the same two are one, and lead to what is known", () => {
  const graph = graphOf(LINEAGE);
  expect(graph.edges.map((edge) => [edge.source, edge.target, edge.name])).toEqual([
    ["sha256:data", "train", "train, test"],
    ["sha256:other", "train", "code"],
    ["train", "sha256:model", "model"],
  ]);
  expect(graph.nodes.filter((node) => node.isSubject).map((node) => node.title)).toEqual(["train.model"]);
});

test("arrow keys go along the arrows, and up and down within a column", () => {
  const graph = graphOf(LINEAGE);
  const spots = new Map([
    ["sha256:data", { x: 0, y: 0 }],
    ["sha256:other", { x: 0, y: 90 }],
    ["train", { x: 200, y: 80 }],
    ["sha256:model", { x: 400, y: 0 }],
  ]);
  const go = (from: string, way: "left" | "right" | "up" | "down") => neighbour(graph, spots, from, way);
  expect(go("train", "right")).toBe("sha256:model");
  expect(go("train", "left")).toBe("sha256:other");
  expect(go("sha256:other", "up")).toBe("sha256:data");
  expect(go("sha256:data", "down")).toBe("sha256:other");
  expect(go("sha256:model", "right")).toBe("sha256:model");
  expect(go("unknown", "right")).toBe("unknown");
});

test("what is around a node is named once", () => {
  const { from, to } = around(graphOf(LINEAGE), "train");
  expect([from.map((node) => node.id), to.map((node) => node.id)]).toEqual([
    ["sha256:data", "sha256:other"],
    ["sha256:model"],
  ]);
});
