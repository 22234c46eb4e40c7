/** One kind of things that runs have, a column for each run. */
import type { CompareRow, RunRow } from "../../api/types";
import { to } from "../../app/router";
import { shortDigest } from "../../ui/format";
import { Grid } from "../../ui/grid";
import { change, isDigest, type Section, written } from "./rows";

interface Props {
  readonly section: Section;
  readonly names: readonly string[];
  readonly runs: readonly RunRow[];
}

export function Rows({ section, names, runs }: Props) {
  return (
    <section class="stack" aria-labelledby={`compare-${section.kind}`}>
      <h2 id={`compare-${section.kind}`}>{section.heading}</h2>
      <Grid
        label={section.heading}
        look="compare-table"
        columns={[
          { id: "what", head: "What" },
          ...names.map((name, at) => ({
            id: String(at),
            head: (
              <>
                <span class={`compare-mark compare-mark-${at + 1}`} aria-hidden="true" /> <bdi>{name}</bdi>
              </>
            ),
          })),
        ]}
        rows={section.rows.map((row) => ({
          id: row.where,
          look: row.differs ? "" : "is-same",
          head: <bdi>{row.where || "Run"}</bdi>,
          cells: row.values.map((value, at) => (
            <Value key={at} row={row} value={value} first={row.values[0]} run={runs[at] as RunRow} isFirst={at === 0} />
          )),
        }))}
      />
    </section>
  );
}

function Value({
  row,
  value,
  first,
  run,
  isFirst,
}: {
  row: CompareRow;
  value: unknown;
  first: unknown;
  run: RunRow;
  isFirst: boolean;
}) {
  if (value === null || value === undefined) return <span class="muted">–</span>;
  if (isDigest(value) && (row.kind === "output" || row.kind === "input"))
    return (
      <a
        href={to("artifacts", { namespace: run.namespace, run: run.id, digest: value, name: row.where })}
        title={value}
      >
        <code>{shortDigest(value)}</code>
      </a>
    );
  if (isDigest(value)) return <code title={value}>{shortDigest(value)}</code>;
  const text = written(value);
  const by = isFirst ? "" : change(first, value);
  return (
    <>
      <span class={`compare-value ${typeof value === "number" ? "num" : ""}`}>{text}</span>
      {by && <span class="muted compare-by"> {by}</span>}
    </>
  );
}
