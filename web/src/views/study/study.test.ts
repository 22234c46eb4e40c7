import { compile } from "vega-lite";
import { describe, expect, test } from "vitest";
import type { Study } from "../../api/types";
import { axesOf, linesOf } from "./lines";
import { axisOf, bestSoFar, dimensionsOf, lastValue, outcomes, ranked, trialsOf } from "./model";
import * as specs from "./specs";

const STUDY: Study = {
  task: "tune",
  algorithm: "tpe",
  pruner: "median",
  objectives: [
    { name: "accuracy", goal: "maximize" },
    { name: "seconds", goal: "minimize" },
  ],
  space: [
    { name: "depth", kind: "int", low: 1, high: 9, log: false, choices: [] },
    { name: "rate", kind: "float", low: 0.001, high: 1, log: true, choices: [] },
    { name: "kind", kind: "choice", low: null, high: null, log: false, choices: ["a", true, { x: 1 }] },
    { name: "seed", kind: "fixed", low: null, high: null, log: false, choices: [7] },
  ],
  maxTrials: 5,
  number: [0, 1, 2, 3, 4],
  tasks: ["tune/0", "tune/1", "tune/2", "tune/3", "tune/4"],
  phase: ["Succeeded", "Succeeded", "Cancelled", "Failed", "Running"],
  reason: ["", "", "Pruned", "OOMKilled", ""],
  message: ["", "", "", "out of memory", ""],
  started: [1000, 2000, 3000, 4000, 5000],
  finished: [2500, 3000, 3500, 4100, null],
  cached: [false, true, false, false, false],
  params: {
    depth: [3, 5, 1, 2, 4],
    rate: [0.1, 0.01, null, 1, 0.5],
    kind: ["a", true, { x: 1 }, "a", "a"],
  },
  values: { accuracy: [0.8, 0.9, null, null, null], seconds: [1, 2, null, null, null] },
  curves: {
    accuracy: {
      "2": [
        [1, 0.4],
        [2, 0.5],
        [3, null],
      ],
    },
  },
  isPareto: [true, true, false, false, false],
  best: 1,
  importances: { accuracy: { rate: 0.25, depth: 0.75 } },
  ended: "",
  unlisted: 0,
};
const trials = trialsOf(STUDY);
const [accuracy, seconds] = STUDY.objectives as [Study["objectives"][0], Study["objectives"][0]];

describe("a search", () => {
  test("a trial that was stopped on the way is called so, and known by the last that it said", () => {
    expect(trials.map((trial) => trial.outcome)).toEqual(["Succeeded", "Succeeded", "Pruned", "Failed", "Running"]);
    expect(trials.map((trial) => lastValue(trial, "accuracy"))).toEqual([0.8, 0.9, 0.5, null, null]);
    expect(trials.map((trial) => trial.seconds)).toEqual([1.5, 1, 0.5, 0.1, null]);
  });
  test("a parameter that a trial does not have is not there", () => {
    expect("rate" in (trials[2]?.params ?? {})).toBe(false);
  });
  test("what is the same in every trial is no dimension", () => {
    expect(dimensionsOf(STUDY).map(({ name, kind }) => [name, kind])).toEqual([
      ["depth", "number"],
      ["rate", "log"],
      ["kind", "choice"],
    ]);
  });
  test("the best so far goes the way of the goal", () => {
    expect(bestSoFar(trials, accuracy)).toEqual([
      { trial: 0, value: 0.8 },
      { trial: 1, value: 0.9 },
    ]);
    expect(bestSoFar(trials, seconds)).toEqual([{ trial: 0, value: 1 }]);
    expect(ranked(trials, accuracy).map((trial) => trial.number)).toEqual([1, 0]);
    expect(ranked(trials, seconds).map((trial) => trial.number)).toEqual([0, 1]);
  });
  test("how trials ended is counted", () => {
    expect(outcomes(trials)[0]).toEqual(["Succeeded", 2]);
  });
  test("values that could not be told apart make an axis logarithmic, unless some are not positive", () => {
    expect(axisOf([0.001, 1])).toBe("log");
    expect(axisOf([1, 2])).toBe("linear");
    expect(axisOf([-1, 1000])).toBe("linear");
    expect(axisOf([])).toBe("linear");
  });
});

describe("its charts", () => {
  test("history has a row for each trial that has said something, with the best up to it", () => {
    expect(specs.historyRows(trials, accuracy).map((row) => [row.trial, row.value, row.best])).toEqual([
      [0, 0.8, 0.8],
      [1, 0.9, 0.9],
      [2, 0.5, 0.9],
    ]);
  });
  test("curves leave out what was no number, and mark their end", () => {
    expect(specs.curveRows(trials, "accuracy").map((row) => [row.trial, row.step, row.end])).toEqual([
      [2, 1, false],
      [2, 2, true],
    ]);
  });
  test("what matters most comes first", () => {
    expect(specs.shareRows(STUDY.importances?.accuracy).map((row) => row.param)).toEqual(["depth", "rate"]);
    expect(specs.shareRows(undefined)).toEqual([]);
  });
  test("all are sound Vega-Lite", () => {
    const theme = {
      text: "#000",
      muted: "#000",
      line: "#000",
      accent: "#000",
      good: "#000",
      bad: "#000",
      warn: "#000",
      gone: "#000",
      font: "x",
      kinds: [],
    };
    const space = dimensionsOf(STUDY);
    const made = [
      specs.history(specs.historyRows(trials, accuracy), "accuracy"),
      specs.curves(specs.curveRows(trials, "accuracy"), "accuracy"),
      specs.importances(specs.shareRows(STUDY.importances?.accuracy)),
      specs.front(specs.frontRows(trials, "accuracy", "seconds", [0, 1]), accuracy, seconds),
      ...space.map((dimension) => specs.slice(specs.sliceRows(trials, "accuracy", dimension), "accuracy", dimension)),
    ];
    for (const spec of made) {
      const said: string[] = [];
      const logger = {
        level: () => logger,
        error: () => logger,
        warn: (...words: string[]) => {
          said.push(...words);
          return logger;
        },
        info: () => logger,
        debug: () => logger,
      };
      compile(spec(theme), { logger: logger as never });
      expect(said).toEqual([]);
    }
  });
});

describe("parallel coordinates", () => {
  const frame = { width: 600, height: 300 };
  test("an axis for each parameter and one for the value; the best line is the last that is drawn", () => {
    const axes = axesOf(trials, dimensionsOf(STUDY), accuracy, frame);
    expect(axes.map((axis) => axis.name)).toEqual(["depth", "rate", "kind", "accuracy"]);
    const lines = linesOf(trials, axes, accuracy);
    expect(lines.map((line) => [line.trial.number, line.rank])).toEqual([
      [0, 0],
      [1, 1],
    ]);
    expect(lines.every((line) => line.path.split("L").length === 4)).toBe(true);
  });
  test("a single trial, and none, have no axis without an end", () => {
    for (const some of [trials.slice(0, 1), []]) {
      const axes = axesOf(some, dimensionsOf(STUDY), accuracy, frame);
      expect(axes.flatMap((axis) => axis.marks.map((mark) => mark.y)).every(Number.isFinite)).toBe(true);
    }
  });
});
