import { expect, test } from "vitest";
import { ago, bytes, duration, inline, number, share, shortDigest } from "./format";

test.each([
  [0, "0 B"],
  [1023, "1023 B"],
  [1536, "1.5 KiB"],
  [48_213, "47 KiB"],
  [1_048_575, "1.0 MiB"],
  [5 * 1024 ** 4, "5.0 TiB"],
])("bytes(%d)", (size, said) => expect(bytes(size)).toBe(said));

test.each([
  [380, "0.4 s"],
  [12_400, "12 s"],
  [59_700, "1 min 00 s"],
  [185_000, "3 min 05 s"],
  [8_040_000, "2 h 14 min"],
  [273_600_000, "3 d 4 h"],
  [-5, "0.0 s"],
])("duration(%d)", (ms, said) => expect(duration(ms)).toBe(said));

test.each([
  [0, "0"],
  [1797, "1,797"],
  [0.9537037, "0.9537"],
  [0.0000123, "1.230e-5"],
  [123456.789, "123457"],
  [Number.NaN, "NaN"],
])("number(%d)", (value, said) => expect(number(value)).toBe(said));

test("words for times, shares and values", () => {
  expect([ago(1000, 3000), ago(0, 90_000), ago(0, 7_200_000), ago(0, 3 * 86_400_000), ago(null, 0)]).toEqual([
    "just now",
    "1 min ago",
    "2 h ago",
    "3 d ago",
    "",
  ]);
  expect([share("3/5"), share("0/0"), share("")]).toEqual([0.6, null, null]);
  expect(inline({ a: [1, "x"] })).toBe('{"a":[1,"x"]}');
  expect(inline("x".repeat(200), 10)).toBe(`${"x".repeat(9)}…`);
  expect(shortDigest(`sha256:${"ab".repeat(32)}`)).toBe("sha256:abababababab");
});
