/**
 * Streams of events (SSE), and how fresh what they have told is. A stream that breaks is opened again, with growing pauses; where the browser gives up for good
 * (a refusal), the plain request says why. `freshness` is what the shell shows: the worst of all streams that are open.
 */
import { computed, signal } from "@preact/signals";
import { address, asProblem, get, type Query } from "../api/client";
import type { Problem } from "../api/types";

export type Freshness = "live" | "connecting" | "stale" | "ended" | "idle";

interface Stream {
  readonly id: number;
  state: Freshness;
  since: number;
}

const streams = signal<readonly Stream[]>([]);
let numbers = 0;

/** When a stream was lost: after this long what is shown is called out of date. */
const PATIENCE = 3_000;
const PAUSES = [500, 1_000, 2_000, 5_000, 10_000];
/** A page that nobody sees keeps no stream: a browser has six connections to a server, for all its tabs together. */
const UNSEEN = 10_000;

export const freshness = computed<Freshness>(() => {
  const states = streams.value.map((each) => each.state);
  for (const worst of ["stale", "connecting", "live", "ended"] as const) if (states.includes(worst)) return worst;
  return "idle";
});
/** When the connection was lost, ms since the epoch; 0: it is not. */
export const staleSince = computed(() =>
  Math.min(...streams.value.filter((each) => each.state === "stale").map((each) => each.since), Infinity),
);

export interface Listener {
  /** By the event's name; each gets the parsed body. */
  readonly on: Readonly<Record<string, (body: never) => void>>;
  /** What ends the stream for good when it comes: `end`, `gone`. */
  readonly ends?: readonly string[];
  readonly onProblem?: (problem: Problem) => void;
  /** Before it is opened again: what was shown will be told anew. */
  readonly onAgain?: () => void;
}

/** Listen until the function that is returned is called. */
export function listen(path: string, query: Query, listener: Listener): () => void {
  const id = ++numbers;
  let source: EventSource | null = null;
  let timer = 0;
  let tries = 0;
  let isClosed = false;
  let lost = 0;

  const set = (state: Freshness, since = Date.now()) => {
    streams.value = [...streams.value.filter((each) => each.id !== id), { id, state, since }];
  };
  const close = () => {
    source?.close();
    source = null;
    window.clearTimeout(timer);
  };
  const end = () => {
    isClosed = true;
    close();
    set("ended");
  };
  const again = () => {
    close();
    if (isClosed) return;
    lost ||= Date.now();
    set(Date.now() - lost >= PATIENCE ? "stale" : "connecting", lost);
    const pause = PAUSES[Math.min(tries++, PAUSES.length - 1)]!;
    timer = window.setTimeout(() => {
      listener.onAgain?.();
      open();
    }, pause);
  };
  const open = () => {
    if (!lost) set("connecting");
    source = new EventSource(address(path, query));
    source.onopen = () => {
      tries = 0;
      lost = 0;
      set("live");
    };
    source.onerror = () => {
      const refused = source?.readyState === EventSource.CLOSED;
      again();
      if (refused) void why();
    };
    for (const [name, hear] of Object.entries(listener.on))
      source.addEventListener(name, (event) => hear(parsed(event) as never));
    source.addEventListener("problem", (event) => listener.onProblem?.(parsed(event) as Problem));
    for (const name of listener.ends ?? []) source.addEventListener(name, end);
  };
  const why = async () => {
    try {
      await get("session");
    } catch (error) {
      const said = asProblem(error);
      if (said.status === 401 || said.status === 403) {
        end();
        listener.onProblem?.(said);
      }
    }
  };

  let unseen = 0;
  const looked = () => {
    window.clearTimeout(unseen);
    if (document.hidden) unseen = window.setTimeout(close, UNSEEN);
    else if (!source && !isClosed) {
      window.clearTimeout(timer);
      listener.onAgain?.();
      open();
    }
  };

  open();
  document.addEventListener("visibilitychange", looked);
  return () => {
    document.removeEventListener("visibilitychange", looked);
    window.clearTimeout(unseen);
    isClosed = true;
    close();
    streams.value = streams.value.filter((each) => each.id !== id);
  };
}

function parsed(event: Event): unknown {
  return JSON.parse((event as MessageEvent<string>).data || "{}");
}
