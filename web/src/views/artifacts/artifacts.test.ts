import { describe, expect, test } from "vitest";
import type { Entry, Stats, TableColumn } from "../../api/types";
import { barsOf, missingOf, shown, summaryOf } from "./columns";
import { isNested, kindOf, sizeOf } from "./json";
import { treeOf } from "./tree";

const file = (path: string, size = 1): Entry => ({ path, type: "file", size, target: "" });

describe("a directory", () => {
  test("is a tree, folders first, each with the size of what is in it", () => {
    const tree = treeOf([
      file("b.txt", 2),
      file("a/x.txt", 3),
      file("a/deep/y.txt", 4),
      { path: "empty", type: "directory", size: 0, target: "" },
    ]);
    expect(tree.map((branch) => [branch.name, branch.type, branch.size])).toEqual([
      ["a", "directory", 7],
      ["empty", "directory", 0],
      ["b.txt", "file", 2],
    ]);
    expect(tree[0]?.children.map((branch) => branch.path)).toEqual(["a/deep", "a/x.txt"]);
  });
  test("takes any name for what it is", () => {
    const names = ["__proto__", "constructor", "<img src=x onerror=alert(1)>", "a\u202eb", "."];
    expect(
      treeOf(names.map((name) => file(`in/${name}`)))[0]
        ?.children.map((branch) => branch.name)
        .toSorted(),
    ).toEqual(names.toSorted());
  });
});

const column = (stats: Partial<Stats>): TableColumn => ({
  name: "x",
  type: "double",
  stats: { nulls: 0, distinct: null, min: null, max: null, mean: null, std: null, histogram: [], top: [], ...stats },
});

describe("a column", () => {
  test("of numbers has bars from its least value to its greatest", () => {
    const bars = barsOf(column({ min: 0, max: 10, histogram: [1, 4] }));
    expect(bars).toEqual([
      { height: 0.25, label: "0 to 5: 1" },
      { height: 1, label: "5 to 10: 4" },
    ]);
  });
  test("of anything else has a bar for each frequent value", () => {
    expect(
      barsOf(
        column({
          top: [
            ["a", 4],
            [null, 2],
          ],
        }),
      ),
    ).toEqual([
      { height: 1, label: "a: 4" },
      { height: 0.5, label: "null: 2" },
    ]);
    expect(barsOf(column({}))).toEqual([]);
  });
  test("says what is in it and what is missing", () => {
    expect(summaryOf(column({ min: 1, max: 3, mean: 2 }))).toEqual(["1 to 3", "mean 2"]);
    expect(summaryOf(column({ distinct: 1 }))).toEqual(["1 value", ""]);
    expect(missingOf(column({ nulls: 1 }), 3)).toBe("33 % missing");
    expect(missingOf(column({ nulls: 1 }), 100_000)).toBe("<0.1 % missing");
    expect(missingOf(column({}), 3)).toBe("");
    expect([shown(null), shown(0), shown(false), shown("")]).toEqual([null, "0", "false", ""]);
  });
});

test("JSON is told by its kinds", () => {
  expect([{}, [], [1], { a: 1 }, null, 1].map(isNested)).toEqual([false, false, true, true, false, false]);
  expect([sizeOf([1, 2]), sizeOf({ a: 1 })]).toEqual(["[2]", "{1}"]);
  expect(["a", 1, null, true, []].map(kindOf)).toEqual(["text", "number", "word", "word", "empty"]);
});
