/** One kind of things that runs have, a column for each run. */
import type { CompareRow, RunRow } from "../../api/types";
import { to } from "../../app/router";
import { shortDigest } from "../../ui/format";
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
      <div class="compare-table" tabIndex={0} role="group" aria-label={section.heading}>
        <table>
          <thead>
            <tr>
              <th scope="col">What</th>
              {names.map((name, at) => (
                <th key={at} scope="col">
                  <span class={`compare-mark compare-mark-${at + 1}`} aria-hidden="true" /> <bdi>{name}</bdi>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {section.rows.map((row) => (
              <tr key={row.where} class={row.differs ? "" : "is-same"}>
                <th scope="row">
                  <bdi>{row.where || "Run"}</bdi>
                </th>
                {row.values.map((value, at) => (
                  <td key={at} class={typeof value === "number" ? "num" : ""}>
                    <Value row={row} value={value} first={row.values[0]} run={runs[at] as RunRow} isFirst={at === 0} />
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
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
      <span class="compare-value">{text}</span>
      {by && <span class="muted compare-by"> {by}</span>}
    </>
  );
}
