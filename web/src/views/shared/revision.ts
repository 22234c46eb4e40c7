/** Has what a view shows of a run asked for again whenever the run's tasks have changed. */
import { useEffect } from "preact/hooks";
import type { RunState } from "../../api/types";
import { listen } from "../../app/live";

/** However fast tasks change, a view is asked for again no oftener than this. */
const PAUSE = 2_000;

export function useRevision(namespace: string, run: string, reload: () => void): void {
  useEffect(() => {
    if (!run) return;
    let known: string | undefined;
    let timer = 0;
    const stop = listen(
      "run/events",
      { namespace, run },
      {
        on: {
          state: ({ revision, phase }: RunState) => {
            const now = `${revision} ${phase}`;
            if (known !== undefined && known !== now) timer ||= window.setTimeout(again, PAUSE);
            known = now;
          },
        },
        ends: ["gone", "end"],
      },
    );
    const again = () => {
      timer = 0;
      reload();
    };
    return () => {
      stop();
      window.clearTimeout(timer);
    };
  }, [namespace, run]);
}
