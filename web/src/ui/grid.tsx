/** A table of few rows, whole and as it is: it scrolls in its own box, by keys too. Long ones, and those whose rows are chosen or sorted, are `Table`. */
import type { ComponentChildren } from "preact";

export interface GridColumn {
  readonly id: string;
  readonly head: ComponentChildren;
  /** Numbers stand at the end. */
  readonly end?: boolean;
}

export interface GridRow {
  readonly id: string | number;
  /** What the row is called; it stands in the first column. Without it the first column is like the others. */
  readonly head?: ComponentChildren;
  readonly cells: readonly ComponentChildren[];
  readonly look?: string;
}

interface Props {
  /** What the table is called, for those who hear it. */
  readonly label: string;
  readonly columns: readonly GridColumn[];
  readonly rows: readonly GridRow[];
  /** The class of what is special about it. */
  readonly look: string;
}

export function Grid({ label, columns, rows, look }: Props) {
  return (
    <div class={`grid-table ${look}`} tabIndex={0} role="group" aria-label={label}>
      <table>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column.id} scope="col" class={column.end ? "end" : undefined}>
                {column.head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => {
            const own = row.head === undefined ? columns : columns.slice(1);
            return (
              <tr key={row.id} class={row.look}>
                {row.head !== undefined && <th scope="row">{row.head}</th>}
                {own.map((column, at) => (
                  <td key={column.id} class={column.end ? "end num" : undefined}>
                    {row.cells[at]}
                  </td>
                ))}
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
