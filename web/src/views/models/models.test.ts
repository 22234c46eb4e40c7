import { expect, test } from "vitest";
import type { Model, ModelMove } from "../../api/types";
import { before, deedOf, isAlias } from "./model";

const move = (number: number, version: number, isRollback = false, alias = "champion"): ModelMove => ({
  number,
  alias,
  version,
  previous: number === 1 ? 0 : 1,
  by: "ann",
  at: 0,
  message: "",
  isRollback,
});
const model = (...moves: ModelMove[]): Model => ({ name: "iris", aliases: {}, versions: [], moves });

test("what an alias meant before; what was rolled back is forgotten", () => {
  expect(before(model(move(1, 1)), "champion")).toBe(null);
  expect(before(model(move(2, 2), move(1, 1)), "champion")).toBe(1);
  expect(before(model(move(3, 3), move(2, 2), move(1, 1)), "champion")).toBe(2);
  expect(before(model(move(1, 1), move(2, 2), move(3, 1, true)), "champion")).toBe(null);
  expect(before(model(move(1, 1), move(2, 2), move(3, 3), move(4, 2, true)), "champion")).toBe(1);
  expect(before(model(move(1, 1), move(2, 2, false, "other")), "champion")).toBe(null);
});

test("a move in words", () => {
  expect(deedOf(move(1, 1))).toBe("champion → version 1");
  expect(deedOf(move(2, 2))).toBe("champion → version 2, was 1");
});

test("an alias is what the server takes for one", () => {
  expect(["champion", "eu-west", "a"].every(isAlias)).toBe(true);
  expect(["", "3", "A", "a b", "a-", "a".repeat(64)].some(isAlias)).toBe(false);
});
