/**
 * The runs that fit a filter: the first page comes as a stream and is always current, the rest is fetched as the reader scrolls. When more than the first page is
 * shown, the stream is asked for as much of it as it gives.
 */
import { signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { asProblem, get } from "../../api/client";
import type { Problem, RunRow, RunsPage } from "../../api/types";
import { listen } from "../../app/live";

export interface Filter {
  readonly namespace: string;
  readonly phase: string;
  readonly text: string;
  readonly sort: string;
}

const FIRST = 100;
const MOST = 500;

export interface Listed {
  readonly rows: readonly RunRow[];
  readonly page: RunsPage | undefined;
  readonly problem: Problem | undefined;
  more(): void;
}

export const keyOf = (row: RunRow) => `${row.namespace}/${row.id}`;

/** The newest of the first page, then what was fetched behind it, without what has moved forward. */
export function joined(first: readonly RunRow[], rest: readonly RunRow[]): readonly RunRow[] {
  if (rest.length === 0) return first;
  const known = new Set(first.map((row) => row.uid));
  return [...first, ...rest.filter((row) => !known.has(row.uid))];
}

export function useRuns(filter: Filter): Listed {
  const key = JSON.stringify(filter);
  const list = useMemo(() => new List(filter), [key]);
  useEffect(() => {
    list.open(FIRST);
    return () => list.close();
  }, [list]);
  return { rows: list.rows.value, page: list.page.value, problem: list.problem.value, more: list.more };
}

class List {
  readonly page = signal<RunsPage | undefined>(undefined);
  readonly rows = signal<readonly RunRow[]>([]);
  readonly problem = signal<Problem | undefined>(undefined);
  private rest: readonly RunRow[] = [];
  private next: string | undefined;
  private isAsking = false;
  private end: () => void = () => undefined;
  private limit = 0;

  constructor(private readonly filter: Filter) {}

  open(limit: number): void {
    this.end();
    this.limit = limit;
    this.end = listen(
      "runs/events",
      { ...this.filter, limit },
      { on: { runs: (page: RunsPage) => this.take(page) }, onProblem: (problem) => (this.problem.value = problem) },
    );
  }

  close(): void {
    this.end();
  }

  private take(page: RunsPage): void {
    this.problem.value = undefined;
    this.page.value = page;
    if (page.rows.length === page.total) this.rest = [];
    if (this.next === undefined || this.rest.length === 0) this.next = page.next;
    this.rows.value = joined(page.rows, this.rest);
  }

  readonly more = async (): Promise<void> => {
    if (this.isAsking || !this.next) return;
    this.isAsking = true;
    try {
      const page = await get<RunsPage>("runs", { ...this.filter, cursor: this.next, limit: MOST });
      this.rest = joined(this.rest, page.rows);
      this.next = page.next;
      this.rows.value = joined(this.page.value?.rows ?? [], this.rest);
      if (this.limit < MOST) this.open(MOST);
    } catch (error) {
      this.problem.value = asProblem(error);
    } finally {
      this.isAsking = false;
    }
  };
}
