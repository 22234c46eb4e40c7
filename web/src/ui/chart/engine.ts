/** Vega-Lite itself. Loaded when the first chart is shown, never before; expressions are interpreted, because the page forbids `eval`. */
import { loader, parse, View, Warn } from "vega";
import { expressionInterpreter } from "vega-interpreter";
import { compile, type TopLevelSpec } from "vega-lite";
import { configOf, type Theme } from "./theme";

/** Marks above which a canvas is drawn upon instead of elements: thousands of those make a page slow. */
const MANY = 1500;

export interface Drawn {
  resize(width: number): void;
  end(): void;
}

export interface Tip {
  show(lines: readonly string[], event: MouseEvent): void;
  hide(): void;
}

/** Draws into `element`, `width` pixels wide. No spec can have anything loaded. */
export async function draw(
  element: HTMLElement,
  spec: (theme: Theme) => TopLevelSpec,
  theme: Theme,
  width: number,
  rows: number,
  tip: Tip,
  picked?: (datum: Readonly<Record<string, unknown>>) => void,
): Promise<Drawn> {
  const whole = { width, autosize: { type: "fit-x", contains: "padding" }, ...spec(theme) } as TopLevelSpec;
  const compiled = compile(whole, { config: configOf(theme) }).spec;
  const closed = loader();
  closed.load = () => Promise.reject(new Error("a chart of this page loads nothing"));
  const view = new View(parse(compiled, undefined, { ast: true }), {
    expr: expressionInterpreter,
    renderer: rows > MANY ? "canvas" : "svg",
    logLevel: Warn,
    loader: closed,
    container: element,
    hover: true,
  });
  view.tooltip((_handler, event, _item, value) => {
    if (value === null || value === undefined || value === "") tip.hide();
    else tip.show(linesOf(value), event as MouseEvent);
  });
  if (picked) {
    view.addEventListener("click", (_event, item) => {
      const datum = item && (item as { datum?: Record<string, unknown> }).datum;
      if (datum) picked(datum);
    });
  }
  await view.runAsync();
  for (const drawing of element.querySelectorAll("svg, canvas")) drawing.setAttribute("aria-hidden", "true");
  return {
    resize: (next) => void view.width(next).runAsync(),
    end: () => void view.finalize(),
  };
}

function linesOf(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [String(value)];
  return Object.entries(value).map(([name, one]) => `${name}: ${String(one)}`);
}
