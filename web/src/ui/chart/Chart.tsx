/** A chart: a drawing for those who see it, its description and its numbers as a table for everybody else. The only place that draws by Vega-Lite. */
import { useEffect, useId, useRef, useState } from "preact/hooks";
import type { TopLevelSpec } from "vega-lite";
import { theme } from "../../app/theme";
import "./chart.css";
import type { Drawn } from "./engine";
import { chartTheme, type Theme } from "./theme";

export interface Column {
  readonly field: string;
  readonly label: string;
}

export type Row = Readonly<Record<string, unknown>>;

interface Props {
  readonly title: string;
  /** One sentence for those who do not see the drawing: what it shows, and what there is to be seen. */
  readonly description: string;
  /** What the spec calls its data, as a table. */
  readonly columns: readonly Column[];
  readonly rows: readonly Row[];
  readonly spec: (theme: Theme) => TopLevelSpec;
  /** Called with the row of a mark that was clicked. */
  readonly picked?: (row: Row) => void;
}

const MOST_ROWS = 500;

export function Chart({ title, description, columns, rows, spec, picked }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const tip = useRef<HTMLDivElement>(null);
  const [isTable, setTable] = useState(false);
  const [failure, setFailure] = useState("");
  const id = useId();
  const latest = useRef(picked);
  latest.current = picked;

  useEffect(() => {
    const element = place.current;
    if (!element || isTable) return;
    let drawn: Drawn | undefined;
    let isOver = false;
    let width = Math.floor(element.clientWidth);
    const shown = tipOf(tip);
    // What was drawn before stays until the new one is there: numbers that come while somebody looks do not flicker.
    const layer = document.createElement("div");
    import("./engine")
      .then(({ draw }) => draw(layer, spec, chartTheme(), width, rows.length, shown, (row) => latest.current?.(row)))
      .then(
        (made) => {
          if (isOver) made.end();
          else {
            drawn = made;
            element.replaceChildren(layer);
            setFailure("");
            if (Math.floor(element.clientWidth) !== width) made.resize(Math.floor(element.clientWidth));
          }
        },
        (error: unknown) => setFailure(error instanceof Error ? error.message : String(error)),
      );
    const observer = new ResizeObserver(() => {
      const now = Math.floor(element.clientWidth);
      if (now && now !== width) {
        width = now;
        drawn?.resize(now);
      }
    });
    observer.observe(element);
    return () => {
      isOver = true;
      observer.disconnect();
      drawn?.end();
      shown.hide();
    };
  }, [spec, rows, theme.value, isTable]);

  return (
    <figure class="chart" aria-labelledby={id}>
      <figcaption class="chart-head">
        <span class="chart-title" id={id}>
          {title}
        </span>
        <button type="button" class="chart-toggle" aria-pressed={isTable} onClick={() => setTable(!isTable)}>
          Data table
        </button>
      </figcaption>
      <p class="chart-words">{description}</p>
      {failure && <p role="alert">The chart cannot be drawn: {failure}</p>}
      {isTable ? (
        <Numbers title={title} columns={columns} rows={rows} />
      ) : (
        <div
          class={picked ? "chart-place can-pick" : "chart-place"}
          ref={place}
          role="img"
          aria-label={`${title}. ${description}`}
        />
      )}
      <div class="chart-tip" ref={tip} aria-hidden="true" hidden />
    </figure>
  );
}

function Numbers({ title, columns, rows }: { title: string; columns: readonly Column[]; rows: readonly Row[] }) {
  return (
    <section class="chart-numbers" tabIndex={0} aria-label={`${title}, as a table`}>
      <table>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column.field} scope="col">
                {column.label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, MOST_ROWS).map((row, at) => (
            <tr key={at}>
              {columns.map((column) => (
                <td key={column.field}>{written(row[column.field])}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length > MOST_ROWS && (
        <p>
          The first {MOST_ROWS} of {rows.length} rows.
        </p>
      )}
    </section>
  );
}

function written(value: unknown): string {
  if (value === null || value === undefined) return "–";
  if (typeof value === "number") return String(Number(value.toPrecision(6)));
  return String(value);
}

function tipOf(place: { readonly current: HTMLDivElement | null }) {
  return {
    show(lines: readonly string[], event: MouseEvent) {
      const tip = place.current;
      if (!tip) return;
      tip.replaceChildren(
        ...lines.map((line) => {
          const one = document.createElement("div");
          one.textContent = line;
          return one;
        }),
      );
      tip.hidden = false;
      const right = event.clientX + 14 + tip.offsetWidth > innerWidth;
      tip.style.left = `${right ? event.clientX - 14 - tip.offsetWidth : event.clientX + 14}px`;
      tip.style.top = `${Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 8)}px`;
    },
    hide() {
      if (place.current) place.current.hidden = true;
    },
  };
}
