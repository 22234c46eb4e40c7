/** What a view has asked for: the answer, or why there is none, or neither yet. What was there stays while it is asked for again. */
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { asProblem } from "../api/client";
import type { Problem } from "../api/types";

export interface Resource<T> {
  readonly data: T | undefined;
  readonly error: Problem | undefined;
  readonly loading: boolean;
  reload(): void;
}

/** `key` says what is asked for: another one drops the answer, `null` asks for nothing. */
export function useResource<T>(key: string | null, fetcher: (signal: AbortSignal) => Promise<T>): Resource<T> {
  const [state, set] = useState<{ key: string | null; data?: T; error?: Problem; loading: boolean }>({
    key,
    loading: key !== null,
  });
  const [times, setTimes] = useState(0);
  const ask = useRef(fetcher);
  ask.current = fetcher;
  useEffect(() => {
    if (key === null) {
      set({ key, loading: false });
      return;
    }
    const aborting = new AbortController();
    set((old) => (old.key === key ? { ...old, loading: true } : { key, loading: true }));
    ask
      .current(aborting.signal)
      .then((data) => !aborting.signal.aborted && set({ key, data, loading: false }))
      .catch((error: unknown) => {
        if (!aborting.signal.aborted)
          set((old) => ({
            key,
            data: old.key === key ? old.data : undefined,
            error: asProblem(error),
            loading: false,
          }));
      });
    return () => aborting.abort();
  }, [key, times]);
  const reload = useCallback(() => setTimes((old) => old + 1), []);
  const mine = state.key === key;
  return {
    data: mine ? state.data : undefined,
    error: mine ? state.error : undefined,
    loading: mine ? state.loading : key !== null,
    reload,
  };
}

/** How often what nobody tells the changes of is asked for again, in milliseconds. */
const AGAIN = 3_000;

/** Have something asked for again and again while it is looked at. */
export function useAgain(reload: () => void, isWanted: boolean): void {
  useEffect(() => {
    if (!isWanted) return;
    const timer = window.setInterval(() => document.hidden || reload(), AGAIN);
    return () => window.clearInterval(timer);
  }, [isWanted, reload]);
}
