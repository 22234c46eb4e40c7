/** A table: each column with its type, its distribution and what is missing, and the rows as they are scrolled to. */
import { useState } from "preact/hooks";
import { asProblem } from "../../api/client";
import type { Problem, TableColumn, TablePreview } from "../../api/types";
import { plural, visible } from "../../ui/format";
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
      <div class="artifact-table" tabIndex={0} role="group" aria-label="Rows of the table">
        <table>
          <thead>
            <tr>
              <th scope="col" class="artifact-row">
                <span class="unseen">Row</span>
              </th>
              {first.columns.map((column) => (
                <th key={column.name} scope="col">
                  <Head column={column} rows={first.lookedAt} />
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row, at) => (
              <tr key={at}>
                <th scope="row" class="artifact-row num">
                  {(first.offset + at).toLocaleString("en-US")}
                </th>
                {row.map((value, column) => (
                  <Cell key={column} value={value} />
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
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
  if (text === null)
    return (
      <td>
        <span class="muted">missing</span>
      </td>
    );
  return (
    <td class={typeof value === "number" ? "end num" : ""} title={text.length > 40 ? text : undefined}>
      {text}
    </td>
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
