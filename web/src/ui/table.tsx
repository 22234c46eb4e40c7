/**
 * A table of any length: only the rows in sight are in the document. One stop of the Tab key; arrows, Home and End move between rows, Enter opens, the space bar
 * chooses.
 */
import type { ComponentChildren } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Icon } from "./icons";
import { useSight } from "./window";

export interface Column<Row> {
  readonly id: string;
  readonly label: string;
  readonly cell: (row: Row) => ComponentChildren;
  /** CSS; without one the columns share what is left. */
  readonly width?: string;
  /** Numbers stand at the end. */
  readonly end?: boolean;
  /** Left out where the window is narrower than 640 px. */
  readonly wide?: boolean;
  /** With it, rows can be sorted by this; with `onSort` of the table the word is enough. */
  readonly sortBy?: ((row: Row) => string | number | null) | true;
}

export interface Sorting {
  readonly id: string;
  readonly descending: boolean;
}

export interface TableProps<Row> {
  /** What the table is called, for those who hear it. */
  readonly label: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly keyOf: (row: Row) => string;
  readonly onOpen?: (row: Row) => void;
  /** Keys of the rows that are chosen; with `onSelect` there are boxes to tick. */
  readonly selected?: ReadonlySet<string>;
  readonly onSelect?: (keys: ReadonlySet<string>) => void;
  /** The row that is shown beside the table. */
  readonly current?: string;
  readonly sort?: Sorting;
  /** Somebody else sorts; without it the table does. */
  readonly onSort?: (sorting: Sorting) => void;
  /** All rows that there are, where `rows` are the first of them. */
  readonly total?: number;
  readonly onEnd?: () => void;
  /** CSS height; without one it is as high as its rows, up to 70 % of the window. */
  readonly height?: string;
  readonly empty?: ComponentChildren;
}

const ROW = 40;

export function Table<Row>(props: TableProps<Row>) {
  const { label, columns, keyOf, onOpen, selected, onSelect, current, onSort, onEnd, empty } = props;
  const [own, setOwn] = useState<Sorting | undefined>(props.sort);
  const sort = onSort ? props.sort : own;
  const rows = useMemo(
    () => (onSort ? props.rows : sorted(props.rows, columns, own)),
    [props.rows, own, columns, onSort],
  );
  const container = useRef<HTMLDivElement | null>(null);
  const { first, end } = useSight(container, rows.length, ROW);
  const [active, setActive] = useState(0);
  const wanted = useRef<number | null>(null);
  const at = Math.min(active, Math.max(0, rows.length - 1));

  useEffect(() => {
    if (onEnd && rows.length > 0 && end >= rows.length && rows.length < (props.total ?? 0)) onEnd();
  }, [end, rows.length, props.total]);
  useEffect(() => {
    if (wanted.current === null) return;
    const row = container.current?.querySelector<HTMLElement>(`tr[data-index="${wanted.current}"]`);
    if (row) {
      row.focus({ preventScroll: true });
      wanted.current = null;
    }
  });

  const move = (to: number) => {
    const index = Math.max(0, Math.min(rows.length - 1, to));
    const box = container.current;
    if (!box) return;
    const top = index * ROW;
    const head = box.querySelector("thead")?.clientHeight ?? 0;
    if (top < box.scrollTop) box.scrollTop = top;
    else if (top + ROW + head > box.scrollTop + box.clientHeight) box.scrollTop = top + ROW + head - box.clientHeight;
    wanted.current = index;
    setActive(index);
  };
  const toggle = (row: Row) => {
    const next = new Set(selected);
    if (!next.delete(keyOf(row))) next.add(keyOf(row));
    onSelect?.(next);
  };
  const press = (event: KeyboardEvent) => {
    const target = event.target as HTMLElement;
    if (target.tagName !== "TR") return;
    const page = Math.max(1, Math.floor((container.current?.clientHeight ?? 0) / ROW) - 2);
    const moves: Record<string, number> = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      Home: 0,
      End: rows.length - 1,
      PageDown: at + page,
      PageUp: at - page,
    };
    const row = rows[at];
    if (moves[event.key] !== undefined) move(moves[event.key]!);
    else if (event.key === "Enter" && row && onOpen) onOpen(row);
    else if (event.key === " " && row && onSelect) toggle(row);
    else return;
    event.preventDefault();
  };
  const resort = (column: Column<Row>) => {
    const next = { id: column.id, descending: sort?.id === column.id ? !sort.descending : false };
    if (onSort) onSort(next);
    else setOwn(next);
  };

  if (rows.length === 0 && empty) return <div class="table">{empty}</div>;
  const span = columns.length + (onSelect ? 1 : 0);
  return (
    <div
      class="table"
      ref={container}
      style={{ height: props.height, maxHeight: props.height ? undefined : "70vh" }}
      onKeyDown={press}
      tabIndex={rows.length === 0 ? 0 : -1}
      role="region"
      aria-label={label}
    >
      <table aria-label={label} aria-rowcount={(props.total ?? rows.length) + 1}>
        <colgroup>
          {onSelect && <col style={{ width: "44px" }} />}
          {columns.map((column) => (
            <col key={column.id} class={column.wide ? "narrow-gone" : undefined} style={{ width: column.width }} />
          ))}
        </colgroup>
        <thead>
          <tr aria-rowindex={1}>
            {onSelect && (
              <th scope="col">
                <span class="unseen">Chosen</span>
              </th>
            )}
            {columns.map((column) => (
              <th
                key={column.id}
                scope="col"
                class={`${column.end ? "end" : ""} ${column.wide ? "narrow-gone" : ""}`}
                aria-sort={sort?.id === column.id ? (sort.descending ? "descending" : "ascending") : undefined}
              >
                {column.sortBy ? (
                  <button type="button" onClick={() => resort(column)}>
                    {column.label}
                    {sort?.id === column.id && <Icon name={sort.descending ? "down" : "up"} size={10} />}
                  </button>
                ) : (
                  column.label
                )}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {first > 0 && <Gap rows={first} span={span} />}
          {rows.slice(first, end).map((row, offset) => {
            const index = first + offset;
            const key = keyOf(row);
            return (
              <tr
                key={key}
                class={`item ${key === current || selected?.has(key) ? "current" : ""}`}
                data-index={index}
                data-key={key}
                data-opens={onOpen ? "" : undefined}
                aria-rowindex={index + 2}
                aria-current={key === current ? "true" : undefined}
                tabIndex={index === at ? 0 : -1}
                onFocus={() => setActive(index)}
                onClick={(event) => onOpen && !isControl(event.target) && !isMarking() && onOpen(row)}
              >
                {onSelect && (
                  <td class="box">
                    <input
                      type="checkbox"
                      tabIndex={-1}
                      checked={selected?.has(key) ?? false}
                      aria-label={`Choose ${key}`}
                      onChange={() => toggle(row)}
                    />
                  </td>
                )}
                {columns.map((column, position) => {
                  const look = `${column.end ? "end num" : ""} ${column.wide ? "narrow-gone" : ""} ${position === 0 ? "first" : ""}`;
                  return position === 0 ? (
                    <th key={column.id} scope="row" class={look}>
                      {column.cell(row)}
                    </th>
                  ) : (
                    <td key={column.id} class={look}>
                      {column.cell(row)}
                    </td>
                  );
                })}
              </tr>
            );
          })}
          {end < rows.length && <Gap rows={rows.length - end} span={span} />}
        </tbody>
      </table>
    </div>
  );
}

function Gap({ rows, span }: { rows: number; span: number }) {
  return (
    <tr class="gap" aria-hidden="true">
      <td colSpan={span} style={{ height: `${rows * ROW}px` }} />
    </tr>
  );
}

function isControl(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest("a, button, input, label") !== null;
}

/** Somebody marks text to copy it. */
function isMarking(): boolean {
  return getSelection()?.type === "Range";
}

function sorted<Row>(rows: readonly Row[], columns: readonly Column<Row>[], sort: Sorting | undefined): readonly Row[] {
  const by = columns.find((column) => column.id === sort?.id)?.sortBy;
  if (!sort || typeof by !== "function") return rows;
  const sign = sort.descending ? -1 : 1;
  return rows.toSorted((a, b) => {
    const [x, y] = [by(a), by(b)];
    if (x === y) return 0;
    if (x === null) return 1;
    if (y === null) return -1;
    return (
      (typeof x === "string" && typeof y === "string" ? x.localeCompare(y, "en", { numeric: true }) : x < y ? -1 : 1) *
      sign
    );
  });
}
