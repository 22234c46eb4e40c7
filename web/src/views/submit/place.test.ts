import { describe, expect, test } from "vitest";
import schema from "../../../../docs/mlworkflow.schema.json";
import { changed } from "./params";
import { placeAt } from "./place";
import { describeAt, keysAt, type Schema, valuesAt } from "./schema";

const root = schema as unknown as Schema;

/** Where `|` is in a text. */
function at(text: string) {
  const offset = text.indexOf("|");
  return placeAt(text.replace("|", ""), offset);
}

const HEAD = "apiVersion: mlworkflow.io/v1alpha1\nkind: MLWorkflow\nmetadata: {name: a}\nspec:\n";

describe("where the cursor is", () => {
  test.each([
    ["|", [], "key"],
    ["ki|", [], "key"],
    ["kind: |", ["kind"], "value"],
    [`${HEAD}  |`, ["spec"], "key"],
    [`${HEAD}  steps:\n    - |`, ["spec", "steps", "[]"], "key"],
    [`${HEAD}  steps:\n    - name: a\n      tr|`, ["spec", "steps", "[]"], "key"],
    [`${HEAD}  steps:\n  - name: a\n    tr|`, ["spec", "steps", "[]"], "key"],
    [`${HEAD}  steps:\n    - name: a\n      train:\n        est|`, ["spec", "steps", "[]", "train"], "key"],
    [`${HEAD}  steps:\n    - name: a\n      train: {est|`, ["spec", "steps", "[]", "train"], "key"],
    [`${HEAD}  steps:\n    - name: a\n      prep: {source: {|`, ["spec", "steps", "[]", "prep", "source"], "key"],
    [`${HEAD}  steps:\n    - name: a\n      prep: {source: {sklearn: iris}, |`, ["spec", "steps", "[]", "prep"], "key"],
    [`${HEAD}  steps:\n    - {name: a, af|`, ["spec", "steps", "[]"], "key"],
    [
      `${HEAD}  steps:\n    - name: a\n      tune:\n        metric: {name: x, goal: m|`,
      ["spec", "steps", "[]", "tune", "metric", "goal"],
      "value",
    ],
    [`${HEAD}  steps:\n    - name: a\n      after: [b, |`, ["spec", "steps", "[]", "after", "[]"], "value"],
    [
      `${HEAD}  steps:\n    - name: a\n    # a remark\n\n    - name: b\n      tune:\n        step:\n          train:\n            |`,
      ["spec", "steps", "[]", "tune", "step", "train"],
      "key",
    ],
    [
      `${HEAD}  params: {x: 1}\n  steps:\n    - name: "a: b"\n      retry:\n        lim|\n`,
      ["spec", "steps", "[]", "retry"],
      "key",
    ],
  ])("%j", (text, path, what) => {
    const place = at(text);
    expect([place.path, place.what]).toEqual([path, what]);
  });

  test("keys that are there already are told", () => {
    expect(at(`${HEAD}  parallelism: 2\n  |\n  timeout: 1h\n  steps: []\n`).taken.toSorted()).toEqual([
      "parallelism",
      "steps",
      "timeout",
    ]);
    expect(at(`${HEAD}  steps:\n    - name: a\n      |\n    - name: b\n      train: {}\n`).taken).toEqual(["name"]);
    expect(at(`${HEAD}  steps:\n    - name: a\n      train: {estimator: x, |`).taken).toEqual(["estimator"]);
  });

  test("the word before the cursor is what is completed", () => {
    expect(at("spec:\n  para|").word).toBe("para");
  });
});

describe("what may stand there", () => {
  const keys = (text: string) => keysAt(root, at(text).path).map((key) => key.name);

  test("of a step: its kinds and what every step has", () => {
    expect(keys(`${HEAD}  steps:\n    - |`)).toEqual(
      expect.arrayContaining(["name", "train", "tune", "retry", "after", "inputs"]),
    );
  });
  test("behind references, alternatives and maps", () => {
    expect(keys(`${HEAD}  steps:\n    - name: a\n      train: {|`)).toContain("estimator");
    expect(keys(`${HEAD}  steps:\n    - name: a\n      train: {cv: {|`)).toContain("stratify");
    expect(
      keys(`${HEAD}  steps:\n    - name: a\n      tune:\n        space:\n          depth:\n            |`),
    ).toEqual(expect.arrayContaining(["float", "int", "choice"]));
    expect(keys(`${HEAD}  steps:\n    - name: a\n      inputs: {train: {|`)).toContain("from");
  });
  test("values where they can be listed", () => {
    expect(valuesAt(root, at("kind: |").path)).toEqual(["MLWorkflow"]);
    expect(valuesAt(root, at(`${HEAD}  steps:\n    - name: a\n      tune: {metric: {goal: |`).path)).toEqual([
      "maximize",
      "minimize",
    ]);
    expect(valuesAt(root, at(`${HEAD}  suspend: |`).path)).toEqual([true, false]);
  });
  test("each key is described", () => {
    expect(describeAt(root, ["spec", "parallelism"])).not.toBe("");
  });
});

describe("parameters of the form", () => {
  const given = { depth: 3, name: "iris", list: [1, 2], flag: true };
  test("only what was changed, in the type that the file has", () => {
    expect(changed(given, { depth: "4", name: "iris", list: "[1,2]", flag: "false" })).toEqual({
      params: { depth: 4, flag: false },
      problems: {},
    });
  });
  test("what does not fit is told", () => {
    const { params, problems } = changed(given, { depth: "deep", flag: "1" });
    expect(params).toEqual({});
    expect(problems.depth).toContain("a number is expected, like 3");
    expect(problems.flag).toContain("true or false is expected");
  });
  test("text stays text", () => {
    expect(changed(given, { name: "3" }).params).toEqual({ name: "3" });
  });
});
