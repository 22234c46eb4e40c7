/** Parallel coordinates: a line for each trial through its parameters to its value. Everything in it is in the table of trials too. */
import { useMemo, useRef, useState } from "preact/hooks";
import type { Objective } from "../../api/types";
import { useWidth } from "../../ui/chart/width";
import { number, plural } from "../../ui/format";
import { axesOf, linesOf, MOST_LINES } from "./lines";
import { type Dimension, type Trial, valued, written } from "./model";

interface Props {
  readonly trials: readonly Trial[];
  readonly space: readonly Dimension[];
  readonly objective: Objective;
  readonly open: (task: string) => void;
}

const HEIGHT = 300;
/** Axes nearer to each other than this cannot be read: the drawing is scrolled instead. */
const NEAREST = 104;
const LETTERS = 12;

export function Parallel({ trials, space, objective, open }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const room = useWidth(place);
  const [over, setOver] = useState<Trial | null>(null);
  const width = Math.max(room, space.length * NEAREST + 120);
  const { axes, lines } = useMemo(() => {
    const found = axesOf(trials, space, objective, { width, height: HEIGHT });
    return { axes: found, lines: linesOf(trials, found, objective) };
  }, [trials, space, objective, width]);
  if (space.length < 2 || lines.length < 2) return null;
  const shown = over ?? lines.at(-1)?.trial;
  const counted = valued(trials, objective.name).length;
  return (
    <section class="card pad" aria-labelledby="parallel">
      <h2 id="parallel">Parameters together</h2>
      <p class="muted study-words">
        {plural(Math.min(counted, MOST_LINES), "trial")}
        {counted > MOST_LINES && `, the best of ${counted}`}: the better, the stronger its line. Point at one to see it;
        all are in the table below.
      </p>
      <div class="study-parallel" ref={place} tabIndex={0} role="group" aria-label="Parallel coordinates">
        <svg
          width={width}
          height={HEIGHT}
          role="img"
          aria-label={`Parallel coordinates of ${axes.map((axis) => axis.name).join(", ")}`}
        >
          <g fill="none">
            {lines.map(({ trial, path, rank }) => (
              <path
                key={trial.number}
                d={path}
                class={rank === 1 ? "line best" : "line"}
                stroke-opacity={rank === 1 ? 1 : 0.08 + 0.6 * rank ** 2}
              />
            ))}
            {over && <path d={lines.find((line) => line.trial === over)?.path} class="line over" />}
            {lines.map(({ trial, path }) => (
              <path
                key={trial.number}
                d={path}
                class="reach"
                onMouseEnter={() => setOver(trial)}
                onMouseLeave={() => setOver(null)}
                onClick={() => open(trial.task)}
              />
            ))}
          </g>
          {axes.map((axis) => (
            <g key={axis.name} class="axis">
              <line x1={axis.x} x2={axis.x} y1={34} y2={HEIGHT - 16} />
              <text x={axis.x} y={16} text-anchor="middle" class="name">
                <title>{axis.name}</title>
                {cut(axis.name, Math.max(LETTERS, Math.floor((axes[1] ? axes[1].x - axes[0]!.x : width) / 8)))}
              </text>
              {axis.marks.map((mark, at) => (
                <text key={at} x={axis.x + 6} y={mark.y + 4}>
                  {cut(mark.label, LETTERS)}
                </text>
              ))}
            </g>
          ))}
        </svg>
      </div>
      {shown && (
        <p class="study-over num">
          <strong>
            {over ? "Trial" : "Best: trial"} {shown.number}
          </strong>
          , {objective.name} {number(shown.values[objective.name])}:{" "}
          {space
            .map(({ name }) => `${name} ${shown.params[name] === undefined ? "–" : written(shown.params[name])}`)
            .join(", ")}
        </p>
      )}
    </section>
  );
}

function cut(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}
