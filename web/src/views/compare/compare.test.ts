import { expect, test } from "vitest";
import type { Artifact, CompareRow } from "../../api/types";
import { change, isDigest, picturesOf, sectionsOf, seriesRows } from "./rows";

const row = (kind: CompareRow["kind"], where: string, ...values: unknown[]): CompareRow => ({
  kind,
  where,
  values,
  differs: true,
});

test("rows stand by kind, metrics before the spec, and can be filtered by place and value", () => {
  const rows = [
    row("spec", "steps.train", 1, 2),
    row("metric", "evaluate.accuracy", 0.9, 0.95),
    row("param", "depth", 3, "deep"),
  ];
  expect(sectionsOf(rows, "").map((section) => section.kind)).toEqual(["metric", "param", "spec"]);
  expect(sectionsOf(rows, "ACCURACY").map((section) => section.rows.length)).toEqual([1]);
  expect(sectionsOf(rows, "deep").map((section) => section.kind)).toEqual(["param"]);
});

test("by how much a number has changed", () => {
  expect([change(0.9, 0.95), change(2, 1), change(1, 1), change("a", 1)]).toEqual(["+0.05", "−1", "", ""]);
});

test("digests are told from other texts", () => {
  expect([isDigest(`sha256:${"a".repeat(64)}`), isDigest("sha256:abc"), isDigest(1)]).toEqual([true, false, false]);
});

test("a run without a metric has no line, and what was no number no point", () => {
  const series = {
    task: "train",
    name: "loss",
    runs: [
      [
        [1, 0.5],
        [2, null],
      ],
      null,
    ] as never,
  };
  expect(seriesRows(series, ["a", "b"])).toEqual([{ run: "a", step: 1, value: 0.5 }]);
});

test("pictures that at least two runs have stand beside each other", () => {
  const one = (task: string, name: string, looks: string): Artifact => ({
    task,
    name,
    looks,
    digest: task,
    size: 1,
    type: "file",
    attempt: null,
  });
  const found = picturesOf([
    [one("a", "plot", "image"), one("a", "data", "table")],
    [one("a", "plot", "image")],
    [one("b", "other", "image")],
  ]);
  expect(found.map(({ where, artifacts }) => [where, artifacts.map((each) => each !== null)])).toEqual([
    ["a.plot", [true, true, false]],
  ]);
});
