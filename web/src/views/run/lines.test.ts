import { expect, test } from "vitest";
import { appended, found, MOST_LINES, NONE, shown } from "./lines";

test("pieces of a log become lines wherever they are cut", () => {
  const lines = ["a\nb", "c\n", "d"].reduce(appended, NONE);
  expect(lines).toEqual({ whole: ["a", "bc"], begun: "d", dropped: 0 });
});

test("of a log without end the last lines are kept", () => {
  const lines = appended(NONE, "x\n".repeat(MOST_LINES + 7));
  expect([lines.whole.length, lines.dropped]).toEqual([MOST_LINES, 7]);
});

test("a terminal's colours go, and what would turn the line around is seen", () => {
  expect(shown("\u001b[31mred\u001b[0m")).toBe("red");
  expect(shown("10 %\r90 %\r")).toBe("90 %");
  expect(shown("safe\u202etxt.exe")).toBe("safe⟨U+202E⟩txt.exe");
  expect(shown("👩‍🔬 <b>x</b>")).toBe("👩‍🔬 <b>x</b>");
});

test("lines are found whatever their case", () =>
  expect(found(["Error: x", "ok", "no error"], "error")).toEqual([0, 2]));
