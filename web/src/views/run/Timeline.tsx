/** When what ran: a bar for each task. Rows out of sight are not in the document. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { get } from "../../api/client";
import type { Timeline as Columns, TaskPhase } from "../../api/types";
import { now } from "../../app/session";
import { Button } from "../../ui/button";
import { clock, duration } from "../../ui/format";
import { useResource } from "../../ui/resource";
import { Empty, Failure, Loading } from "../../ui/states";
import { Text } from "../../ui/text";
import { useSight } from "../../ui/window";
import type { RunStore } from "./store";
import { ticks } from "./ticks";

const ROW = 28;

export function Timeline({
  store,
  chosen,
  onChoose,
}: {
  store: RunStore;
  chosen?: string;
  onChoose: (task: string) => void;
}) {
  const revision = useSlow(store.state.value?.revision ?? 0, 2_000);
  const { data, error, reload } = useResource(`${store.namespace}/${store.run}`, (signal) =>
    get<Columns>("run/timeline", store.which, signal),
  );
  useEffect(() => {
    if (data) reload();
  }, [revision, store.state.value?.phase]);
  if (!data) return error ? <Failure error={error} again={reload} /> : <Loading label="Reading the time line" />;
  if (data.tasks.length === 0)
    return (
      <Empty icon="timeline" title="Nothing has started yet" next="A bar shows up here for each step as it starts." />
    );
  return <Bars data={data} chosen={chosen} onChoose={onChoose} />;
}

function Bars({ data, chosen, onChoose }: { data: Columns; chosen?: string; onChoose: (task: string) => void }) {
  const [nearness, setNearness] = useState(1);
  const box = useRef<HTMLDivElement | null>(null);
  const { first, end } = useSight(box, data.tasks.length, ROW);
  const drift = useMemo(() => Date.now() - data.now, [data]);
  const isRunning = data.finished.includes(null);
  const length = Math.max(
    1,
    isRunning ? now.value - drift - data.zero : Math.max(...data.finished.map((each) => each ?? 0)),
  );
  const rows = Array.from({ length: end - first }, (_, offset) => first + offset);
  const marks = ticks(length, 6 * nearness);
  return (
    <div class="stack">
      <div class="row">
        <span class="muted grow">
          Begins {clock(data.zero)}, {isRunning ? "has taken" : "took"} {duration(length)}
        </span>
        <Button
          kind="quiet"
          icon="minus"
          label="Farther"
          disabled={nearness <= 1}
          onClick={() => setNearness(nearness / 2)}
        />
        <Button
          kind="quiet"
          icon="plus"
          label="Nearer"
          disabled={nearness >= 64}
          onClick={() => setNearness(nearness * 2)}
        />
      </div>
      <div class="timeline" ref={box} role="region" aria-label="Time line" tabIndex={0}>
        <div style={{ width: nearness === 1 ? undefined : `${nearness * 100}%` }}>
          <div class="axis" aria-hidden="true">
            <span class="label" />
            <span class="track">
              {marks.map((mark) => (
                <span key={mark} style={{ left: `${(100 * mark) / length}%` }}>
                  {duration(mark)}
                </span>
              ))}
            </span>
          </div>
          <ol style={{ height: `${data.tasks.length * ROW}px` }}>
            {rows.map((index) => {
              const phase = data.phaseNames[data.phases[index]!] as TaskPhase;
              const from = data.started[index]!;
              const to = data.finished[index] ?? length;
              const task = data.tasks[index]!;
              return (
                <li
                  key={task}
                  style={{ transform: `translateY(${index * ROW}px)` }}
                  class={task === chosen ? "current" : ""}
                >
                  <button type="button" class="label clip" onClick={() => onChoose(task)}>
                    <Text text={task} title />
                    <span class="unseen">
                      , {phase}, starts after {duration(from)}, takes {duration(to - from)}
                    </span>
                  </button>
                  <span class="track" aria-hidden="true" onClick={() => onChoose(task)}>
                    <span
                      class={`bar mark-${phase} ${data.cached[index] ? "is-cached" : ""}`}
                      style={{
                        left: `${(100 * from) / length}%`,
                        width: `max(3px, ${(100 * Math.max(0, to - from)) / length}%)`,
                      }}
                      title={`${phase}: ${duration(to - from)}`}
                    />
                    <span class="took num" style={beside(from / length, to / length)}>
                      {duration(to - from)}
                    </span>
                  </span>
                </li>
              );
            })}
          </ol>
        </div>
      </div>
    </div>
  );
}

/** Where how long a bar took is written, of one from one part of the whole to another: behind it, else before it where there is room. */
function beside(from: number, to: number): Record<string, string> {
  if (to <= 0.9) return { left: `calc(${100 * to}% + 6px)` };
  if (from >= 0.1) return { right: `calc(${100 - 100 * from}% + 6px)` };
  return { display: "none" };
}

/** A value that changes at most so often. */
export function useSlow<T>(value: T, pause: number): T {
  const [slow, set] = useState(value);
  const latest = useRef(value);
  const timer = useRef(0);
  latest.current = value;
  useEffect(() => {
    if (value === slow || timer.current) return;
    timer.current = window.setTimeout(() => {
      timer.current = 0;
      set(latest.current);
    }, pause);
  }, [value, slow]);
  useEffect(() => () => window.clearTimeout(timer.current), []);
  return slow;
}
