/** A table: each column with its type, its distribution and what is missing, and the rows as they are scrolled to. */
import { useState } from "preact/hooks";
import { asProblem } from "../../api/client";
import type { Problem, TableColumn, TablePreview } from "../../api/types";
import { plural, visible } from "../../ui/format";
import { Grid } from "../../ui/grid";
import { Notice } from "../../ui/states";
import { barsOf, missingOf, shown, summaryOf } from "./columns";

export function TableOf({ first, more }: { first: TablePreview; more: (offset: number) => Promise<TablePreview> }) {
  const [rows, setRows] = useState(first.rows);
  const [isAsking, setAsking] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  const next = async () => {
    setAsking(true);
    setProblem(undefined);
    try {
      const page = await more(first.offset + rows.length);
      setRows([...rows, ...page.rows]);
    } catch (error) {
      setProblem(asProblem(error));
    }
    setAsking(false);
  };
  const isWhole = first.lookedAt >= first.total;
  return (
    <div class="stack">
      <p class="muted artifact-words">
        {plural(first.total, "row")}, {plural(first.columns.length, "column")}, {first.format}
        {!isWhole && `; statistics are of ${plural(first.lookedAt, "row")}`}
      </p>
      <Grid
        label="Rows of the table"
        look="artifact-table"
        columns={[
          { id: "row", head: <span class="unseen">Row</span> },
          ...first.columns.map((column) => ({
            id: `column ${column.name}`,
            head: <Head column={column} rows={first.lookedAt} />,
          })),
        ]}
        rows={rows.map((row, at) => ({
          id: at,
          head: <span class="num">{(first.offset + at).toLocaleString("en-US")}</span>,
          cells: row.map((value, column) => <Cell key={column} value={value} />),
        }))}
      />
      {problem && <Notice tone="bad">{problem.message}</Notice>}
      {rows.length < first.total && (
        <div>
          <button type="button" class="button" disabled={isAsking} onClick={() => void next()}>
            Show more: {rows.length.toLocaleString("en-US")} of {first.total.toLocaleString("en-US")}
          </button>
        </div>
      )}
    </div>
  );
}

function Cell({ value }: { value: unknown }) {
  const text = shown(value);
  if (text === null) return <span class="muted">missing</span>;
  return (
    <span class={typeof value === "number" ? "artifact-number num" : ""} title={text.length > 40 ? text : undefined}>
      {text}
    </span>
  );
}

function Head({ column, rows }: { column: TableColumn; rows: number }) {
  const bars = barsOf(column);
  const missing = missingOf(column, rows);
  const [range, mean] = summaryOf(column);
  const summary = [range, mean].filter(Boolean).join(", ");
  const width = 110 / Math.max(bars.length, 1);
  return (
    <div class="artifact-column">
      <span class="clip artifact-column-name" title={column.name}>
        <bdi>{visible(column.name)}</bdi>
      </span>
      <span class="muted">{column.type}</span>
      <svg width="110" height="30" role="img" aria-label={`Distribution of ${column.name}: ${summary || column.type}`}>
        {bars.map((bar, at) => (
          <g key={at}>
            <title>{bar.label}</title>
            <rect x={at * width} y={0} width={width} height={30} fill="transparent" />
            <rect
              x={at * width + 0.5}
              y={30 - Math.max(bar.height * 28, bar.height > 0 ? 1 : 0)}
              width={Math.max(width - 1, 0.5)}
              height={Math.max(bar.height * 28, bar.height > 0 ? 1 : 0)}
              rx="1"
            />
          </g>
        ))}
      </svg>
      <span class="muted clip" title={summary}>
        {range}
      </span>
      <span class="muted clip">{mean || "\u00a0"}</span>
      <span class={missing ? "artifact-missing" : "muted"}>{missing || "none missing"}</span>
    </div>
  );
}
