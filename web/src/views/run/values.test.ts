import { expect, test } from "vitest";
import type { Question } from "../../api/types";
import { answered, changed, written } from "./values";

test("a value is written so that it is read back as it was", () => {
  expect([written("plain"), written("7"), written(7), written([1]), written(null), written("true")]).toEqual([
    "plain",
    '"7"',
    "7",
    "[1]",
    "null",
    '"true"',
  ]);
});

test("only what differs is told, and of the same kind", () => {
  const before = { seed: 7, name: "x", on: true };
  expect(changed(before, { seed: "8", name: "x", on: "true" })).toEqual({ values: { seed: 8 }, problems: {} });
  expect(changed(before, { seed: "8x", name: "9", on: "true" })).toEqual({
    values: { name: "9" },
    problems: { seed: "It is a number, and this is a string." },
  });
});

test("answers are of the type that is asked for", () => {
  const ask = (type: Question["type"], more: Partial<Question> = {}): Question => ({
    name: "n",
    type,
    description: "",
    default: null,
    hasDefault: false,
    enum: [],
    ...more,
  });
  expect(answered(ask("integer"), "3")).toEqual({ value: 3 });
  expect(answered(ask("integer"), "3.5")).toEqual({ problem: "A whole number." });
  expect(answered(ask("string"), "3")).toEqual({ value: "3" });
  expect(answered(ask("number"), "")).toEqual({ problem: "Needed." });
  expect(answered(ask("number", { hasDefault: true }), "")).toEqual({});
  expect(answered(ask("number", { enum: [1, 2] }), "2")).toEqual({ value: 2 });
});
