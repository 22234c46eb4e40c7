/** One run as it goes on: what does not change is fetched once (and again when the spec has changed), how it stands comes as a stream. */
import { type ReadonlySignal, signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { asProblem, get } from "../../api/client";
import type { NodeState, Problem, RunAnswer, RunState } from "../../api/types";
import { listen } from "../../app/live";
import { announce } from "../../app/say";

const FINAL = new Set(["Succeeded", "Failed", "Cancelled"]);

export class RunStore {
  private readonly answered = signal<RunAnswer | undefined>(undefined);
  private readonly standing = signal<RunState | undefined>(undefined);
  private readonly states = signal<ReadonlyMap<string, NodeState>>(new Map());
  private readonly trouble = signal<Problem | undefined>(undefined);
  private readonly left = signal<Problem | undefined>(undefined);
  private end: () => void = () => undefined;
  private isClosed = false;

  constructor(
    readonly namespace: string,
    readonly run: string,
  ) {}

  get answer(): ReadonlySignal<RunAnswer | undefined> {
    return this.answered;
  }
  /** How the run stands, the newest. */
  get state(): ReadonlySignal<RunState | undefined> {
    return this.standing;
  }
  get nodes(): ReadonlySignal<ReadonlyMap<string, NodeState>> {
    return this.states;
  }
  get problem(): ReadonlySignal<Problem | undefined> {
    return this.trouble;
  }
  /** It was deleted while it was looked at. */
  get gone(): ReadonlySignal<Problem | undefined> {
    return this.left;
  }
  get which(): { namespace: string; run: string } {
    return { namespace: this.namespace, run: this.run };
  }

  async open(): Promise<void> {
    this.trouble.value = undefined;
    try {
      const answer = await get<RunAnswer>("run", this.which);
      if (this.isClosed) return;
      this.answered.value = answer;
      this.take(answer.state);
    } catch (error) {
      this.trouble.value = asProblem(error);
      return;
    }
    this.follow();
  }

  /** After something was asked of it: it may go on though it had ended. */
  follow(): void {
    this.end();
    if (this.isClosed) return;
    this.end = listen("run/events", this.which, {
      on: {
        state: (state: RunState) => this.take(state),
        gone: (problem: Problem) => (this.left.value = problem),
      },
      ends: ["gone"],
      onProblem: (problem) => (this.trouble.value = problem),
    });
  }

  close(): void {
    this.isClosed = true;
    this.end();
  }

  private take(state: RunState): void {
    const before = this.standing.value;
    if (state.nodes.length > 0) {
      const next = new Map(this.states.value);
      for (const node of state.nodes) next.set(node.id, node);
      this.states.value = next;
    }
    this.trouble.value = undefined;
    this.standing.value = state;
    if (before && before.phase !== state.phase) announce(`${this.run} is ${state.phase}. ${state.message}`);
    if (before && (before.generation !== state.generation || (before.phase !== state.phase && FINAL.has(state.phase))))
      void this.renew();
  }

  private async renew(): Promise<void> {
    try {
      const answer = await get<RunAnswer>("run", this.which);
      if (!this.isClosed) this.answered.value = answer;
    } catch {
      // What is shown stays; the stream says what is wrong.
    }
  }
}

export function useRun(namespace: string, run: string): RunStore {
  const store = useMemo(() => new RunStore(namespace, run), [namespace, run]);
  useEffect(() => {
    void store.open();
    return () => store.close();
  }, [store]);
  return store;
}
