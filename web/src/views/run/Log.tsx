/** The log of an attempt: as it comes, followed to its end unless the reader looks at something earlier; to be searched and saved. */
import { useEffect, useRef, useState } from "preact/hooks";
import { address } from "../../api/client";
import type { LogPiece, Problem } from "../../api/types";
import { listen } from "../../app/live";
import { Button } from "../../ui/button";
import { plural } from "../../ui/format";
import { Icon } from "../../ui/icons";
import { Empty, Failure, Loading } from "../../ui/states";
import { useSight } from "../../ui/window";
import { appended, found, type Lines, NONE, shown } from "./lines";

const ROW = 19;

export interface LogProps {
  readonly namespace: string;
  readonly run: string;
  readonly task: string;
  readonly attempt: number;
}

export function Log(props: LogProps) {
  const { lines, isOver, problem } = useLog(props);
  const [isFollowed, follow] = useState(true);
  const [text, search] = useState("");
  const [hit, setHit] = useState(0);
  const box = useRef<HTMLDivElement | null>(null);
  const all = lines ? (lines.begun ? [...lines.whole, shown(lines.begun)] : lines.whole) : [];
  const { first, end } = useSight(box, all.length, ROW);
  const hits = found(all, text);
  const at = hits.length > 0 ? hits[((hit % hits.length) + hits.length) % hits.length] : undefined;

  useEffect(() => {
    if (isFollowed && !text && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [all.length, isFollowed, text]);
  useEffect(() => {
    if (at !== undefined && box.current) box.current.scrollTop = Math.max(0, at * ROW - box.current.clientHeight / 2);
  }, [at, text]);

  const looked = () => {
    const element = box.current;
    if (element) follow(element.scrollTop + element.clientHeight >= element.scrollHeight - ROW);
  };

  if (problem && all.length === 0)
    return problem.status === 404 ? (
      <Empty icon="list" title="No log" next={problem.message} />
    ) : (
      <Failure error={problem} />
    );
  if (!lines) return <Loading label="Reading the log" />;
  return (
    <div class="log">
      <div class="row wrap">
        <label class="search grow">
          <span class="unseen">Search in the log</span>
          <Icon name="search" />
          <input
            class="input"
            type="search"
            placeholder="Search"
            value={text}
            onInput={(event) => {
              search(event.currentTarget.value);
              setHit(0);
            }}
            onKeyDown={(event) => {
              if (event.key !== "Enter") return;
              event.preventDefault();
              setHit(hit + (event.shiftKey ? -1 : 1));
            }}
          />
        </label>
        {text && (
          <>
            <span class="muted num" role="status">
              {hits.length > 0 ? `${hits.indexOf(at!) + 1} of ${hits.length.toLocaleString("en-US")}` : "not found"}
            </span>
            <Button
              kind="quiet"
              icon="up"
              label="Previous"
              disabled={hits.length === 0}
              onClick={() => setHit(hit - 1)}
            />
            <Button
              kind="quiet"
              icon="down"
              label="Next"
              disabled={hits.length === 0}
              onClick={() => setHit(hit + 1)}
            />
          </>
        )}
        <Button pressed={isFollowed} icon="down" onClick={() => follow(!isFollowed)}>
          Follow
        </Button>
        <Button icon="download" href={address("run/log", { ...props })} download>
          Save
        </Button>
      </div>
      {lines.dropped > 0 && (
        <p class="muted">{plural(lines.dropped, "earlier line")} not shown: save the log to see all of it.</p>
      )}
      {all.length === 0 ? (
        <Empty
          icon="list"
          title={isOver ? "The log is empty" : "Nothing has been said yet"}
          next={isOver ? "The step has written nothing to its output." : "Lines show up here as the step writes them."}
        />
      ) : (
        <div class="lines" ref={box} role="log" aria-live="off" aria-label="Log" tabIndex={0} onScroll={looked}>
          <div style={{ height: `${all.length * ROW}px` }}>
            <pre style={{ transform: `translateY(${first * ROW}px)` }}>
              {all.slice(first, end).map((line, offset) => (
                <Line
                  key={first + offset}
                  number={lines.dropped + first + offset + 1}
                  line={line}
                  marked={text}
                  isHit={first + offset === at}
                />
              ))}
            </pre>
          </div>
        </div>
      )}
      <p class="muted" role="status">
        {isOver ? `${plural(all.length, "line")}. The attempt has ended.` : "Live: lines come as the step writes them."}
      </p>
    </div>
  );
}

function Line({ number, line, marked, isHit }: { number: number; line: string; marked: string; isHit: boolean }) {
  const at = marked ? line.toLowerCase().indexOf(marked.toLowerCase()) : -1;
  return (
    <div class={`line ${isHit ? "is-hit" : ""}`}>
      <span class="number" aria-hidden="true">
        {number}
      </span>
      <bdi>
        {at < 0 ? (
          line || " "
        ) : (
          <>
            {line.slice(0, at)}
            <mark>{line.slice(at, at + marked.length)}</mark>
            {line.slice(at + marked.length)}
          </>
        )}
      </bdi>
    </div>
  );
}

function useLog({ namespace, run, task, attempt }: LogProps): {
  lines: Lines | undefined;
  isOver: boolean;
  problem: Problem | undefined;
} {
  const [lines, set] = useState<Lines>();
  const [isOver, end] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  useEffect(() => {
    set(undefined);
    end(false);
    setProblem(undefined);
    let isNew = true;
    return listen(
      "run/log/events",
      { namespace, run, task, attempt },
      {
        on: {
          log: (piece: LogPiece) => {
            const anew = isNew || piece.isReset;
            isNew = false;
            set((old) => appended(anew ? NONE : (old ?? NONE), piece.text));
          },
          end: () => {
            set((old) => old ?? NONE);
            end(true);
          },
        },
        ends: ["end"],
        onAgain: () => {
          isNew = true;
        },
        onProblem: setProblem,
      },
    );
  }, [namespace, run, task, attempt]);
  return { lines, isOver, problem };
}
