/**
 * A graph of any size: edges, and nodes too small to be read, are painted on a canvas; nodes that can be read are buttons in the document, those alone that are in
 * sight. One stop of the Tab key; arrows go along the edges and up and down. Whoever uses it shows the same as a table beside it.
 */
import type { ComponentChildren } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { theme, token } from "../../app/theme";
import { Button } from "../button";
import { Loading } from "../states";
import "./graph.css";
import { type Drawing, type Link, layout } from "./layout";
import { pathOf } from "./path";
import { type Box, framed, isSeen, reveal, type View, zoom } from "./view";

export interface GraphNode {
  readonly id: string;
  readonly width: number;
  readonly height: number;
  /** The token of its colour where it is too small to be read: `--good-mark`. */
  readonly colour: string;
}

export interface GraphEdge extends Link {
  readonly dashed?: boolean;
}

export interface GraphProps {
  readonly label: string;
  /** Another value is another drawing: the window is fitted to it again. */
  readonly shape: string;
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
  /** With what is said to those who hear it. */
  readonly content: (id: string) => ComponentChildren;
  readonly chosen?: string;
  readonly onChoose: (id: string) => void;
  readonly height?: string;
  readonly children?: ComponentChildren;
}

/** More nodes than this in sight, or a smaller scale, and they are painted. */
const MOST_BUTTONS = 260;
const LEAST_SCALE = 0.34;

export function Graph({ label, shape, nodes, edges, content, chosen, onChoose, height, children }: GraphProps) {
  const area = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [drawing, setDrawing] = useState<{ shape: string; drawn: Drawing }>();
  const [window_, setWindow] = useState<Box>({ x: 0, y: 0, width: 0, height: 0 });
  const [view, setView] = useState<View>();
  const [roving, setRoving] = useState("");
  const wanted = useRef("");
  const drawn = drawing?.shape === shape ? drawing.drawn : undefined;

  useEffect(() => {
    let isOver = false;
    layout({ nodes, edges }).then((made) => {
      if (isOver) return;
      setView(undefined);
      setDrawing({ shape, drawn: made });
    });
    return () => {
      isOver = true;
    };
  }, [shape]);
  useEffect(() => {
    const element = area.current;
    if (!element) return;
    const look = () => setWindow({ x: 0, y: 0, width: element.clientWidth, height: element.clientHeight });
    look();
    const watching = new ResizeObserver(look);
    watching.observe(element);
    return () => watching.disconnect();
  }, []);
  const fitted = useMemo(
    () => drawn && window_.width > 0 && framed(drawn.width, drawn.height, window_, drawn.nodes.size < 60 ? 0.5 : 0.2),
    [drawn, window_],
  );
  const shown = view ?? (fitted || undefined);

  const boxes = useMemo(() => {
    if (!drawn) return [];
    return nodes.flatMap((node) => {
      const at = drawn.nodes.get(node.id);
      return at ? [{ ...node, ...at }] : [];
    });
  }, [drawn, nodes]);
  const byId = useMemo(() => new Map(boxes.map((box) => [box.id, box])), [boxes]);
  const seen = shown ? boxes.filter((box) => isSeen(shown, box, window_)) : [];
  const current = byId.has(roving) ? roving : chosen && byId.has(chosen) ? chosen : (boxes[0]?.id ?? "");
  const isReadable = !!shown && shown.scale >= LEAST_SCALE && seen.length <= MOST_BUTTONS;
  const buttons = isReadable ? seen : boxes.filter((box) => box.id === current);
  if (isReadable && current && !seen.some((box) => box.id === current)) buttons.push(byId.get(current)!);

  useEffect(() => {
    if (!drawn || !shown || !canvas.current) return;
    const frame = requestAnimationFrame(() => {
      if (!canvas.current) return; // the view was left in between
      paint(canvas.current, drawn, shown, window_, edges, isReadable ? [] : boxes, chosen);
      performance.mark("graph drawn"); // what the browser's own tools, and a test, measure
    });
    return () => cancelAnimationFrame(frame);
  }, [drawn, shown, window_, boxes, edges, isReadable, chosen, theme.value]);
  useEffect(() => {
    if (!wanted.current) return;
    const button = area.current?.querySelector<HTMLElement>(`[data-node="${CSS.escape(wanted.current)}"]`);
    button?.focus({ preventScroll: true });
    if (button) wanted.current = "";
  });
  useEffect(() => {
    const box = chosen ? byId.get(chosen) : undefined;
    if (box && shown && !isSeen(shown, box, window_)) setView(reveal(shown, box, window_));
  }, [chosen, drawn]);

  const focus = (id: string) => {
    const box = byId.get(id);
    if (!box || !shown) return;
    setRoving(id);
    setView(reveal(shown, box, window_));
    wanted.current = id;
  };
  const nearer = (factor: number, x = window_.width / 2, y = window_.height / 2) =>
    shown && setView(zoom(shown, factor, x, y));
  const whole = () => drawn && setView(framed(drawn.width, drawn.height, window_));
  const press = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const keys: Record<string, () => void> = {
      "+": () => nearer(1.25),
      "=": () => nearer(1.25),
      "-": () => nearer(0.8),
      "0": whole,
    };
    const next = beside(event.key, byId.get(current), boxes, edges, byId);
    if (next) focus(next);
    else if (keys[event.key]) keys[event.key]!();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const dragging = useDragging(area, shown, setView, (x, y) => {
    if (!shown || isReadable) return;
    const [px, py] = [(x - shown.left) / shown.scale, (y - shown.top) / shown.scale];
    const hit = boxes.find((box) => px >= box.x && py >= box.y && px <= box.x + box.width && py <= box.y + box.height);
    if (hit) onChoose(hit.id);
  });

  return (
    <div
      ref={area}
      class={`graph ${dragging ? "is-dragged" : ""}`}
      style={{ height }}
      role="group"
      aria-label={label}
      onKeyDown={press}
    >
      <canvas ref={canvas} aria-hidden="true" />
      {shown && (
        <div class="nodes" style={{ transform: `translate(${shown.left}px, ${shown.top}px) scale(${shown.scale})` }}>
          {buttons.map((box) => (
            <button
              key={box.id}
              type="button"
              class="node"
              data-node={box.id}
              aria-pressed={box.id === chosen}
              tabIndex={box.id === current ? 0 : -1}
              style={{
                transform: `translate(${box.x}px, ${box.y}px)`,
                width: `${box.width}px`,
                height: `${box.height}px`,
              }}
              onFocus={() => setRoving(box.id)}
              onClick={() => onChoose(box.id)}
            >
              {content(box.id)}
            </button>
          ))}
        </div>
      )}
      {!drawn && <Loading label="Drawing" />}
      {children && <div class="inside">{children}</div>}
      <div class="tools" role="toolbar" aria-label="Zoom">
        <Button kind="quiet" icon="minus" label="Farther (-)" onClick={() => nearer(0.8)} />
        <Button kind="quiet" icon="plus" label="Nearer (+)" onClick={() => nearer(1.25)} />
        <Button kind="quiet" icon="fit" label="Show all (0)" onClick={whole} />
      </div>
    </div>
  );
}

type Placed = GraphNode & { readonly x: number; readonly y: number };

/** The node that an arrow key leads to. */
function beside(
  key: string,
  from: Placed | undefined,
  boxes: readonly Placed[],
  edges: readonly GraphEdge[],
  byId: ReadonlyMap<string, Placed>,
): string | undefined {
  if (!from) return undefined;
  const linked = (ids: readonly string[]) =>
    ids
      .map((id) => byId.get(id))
      .filter((box) => box !== undefined)
      .toSorted((a, b) => Math.abs(a.y - from.y) - Math.abs(b.y - from.y))[0]?.id;
  const column = () =>
    boxes.filter((box) => box.x < from.x + from.width && from.x < box.x + box.width).toSorted((a, b) => a.y - b.y);
  if (key === "ArrowRight") return linked(edges.filter((edge) => edge.source === from.id).map((edge) => edge.target));
  if (key === "ArrowLeft") return linked(edges.filter((edge) => edge.target === from.id).map((edge) => edge.source));
  if (key === "ArrowDown") return column().find((box) => box.y > from.y)?.id;
  if (key === "ArrowUp") return column().findLast((box) => box.y < from.y)?.id;
  if (key === "Home") return boxes[0]?.id;
  if (key === "End") return boxes.at(-1)?.id;
  return undefined;
}

function paint(
  canvas: HTMLCanvasElement,
  drawn: Drawing,
  view: View,
  window_: Box,
  edges: readonly GraphEdge[],
  boxes: readonly Placed[],
  chosen: string | undefined,
): void {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = window_.width * ratio;
  canvas.height = window_.height * ratio;
  const context = canvas.getContext("2d");
  if (!context) return;
  context.setTransform(ratio * view.scale, 0, 0, ratio * view.scale, ratio * view.left, ratio * view.top);
  const dashed = new Set(edges.filter((edge) => edge.dashed).map((edge) => `${edge.source}\n${edge.target}`));
  context.lineWidth = Math.max(1.4, 0.8 / view.scale);
  const [line, strong] = [token("--idle-mark"), token("--accent")];
  const isMany = drawn.edges.length > 3_000;
  for (const edge of drawn.edges) {
    const isNear = edge.source === chosen || edge.target === chosen;
    context.strokeStyle = isNear ? strong : line;
    context.globalAlpha = isNear ? 1 : isMany ? 0.25 : 0.75;
    context.setLineDash(dashed.has(`${edge.source}\n${edge.target}`) ? [5, 5] : []);
    context.stroke(new Path2D(pathOf(edge.points)));
  }
  context.globalAlpha = 1;
  context.setLineDash([]);
  const colours = new Map<string, string>();
  for (const box of boxes) {
    if (!colours.has(box.colour)) colours.set(box.colour, token(box.colour));
    context.fillStyle = colours.get(box.colour)!;
    context.beginPath();
    context.roundRect(box.x, box.y, box.width, box.height, 9);
    context.fill();
    if (box.id === chosen) {
      context.strokeStyle = strong;
      context.lineWidth = 3 / view.scale;
      context.stroke();
    }
  }
}

/** One finger or the mouse moves the drawing, two fingers and Ctrl with the wheel change its size, the wheel alone moves it. */
function useDragging(
  area: { current: HTMLDivElement | null },
  view: View | undefined,
  set: (view: View) => void,
  onClick: (x: number, y: number) => void,
): boolean {
  const [isDragged, setDragged] = useState(false);
  const latest = useRef(view);
  latest.current = view;
  const click = useRef(onClick);
  click.current = onClick;
  useEffect(() => {
    const element = area.current;
    if (!element) return;
    const fingers = new Map<number, { x: number; y: number }>();
    let far = 0;
    const at = (event: PointerEvent | WheelEvent) => {
      const box = element.getBoundingClientRect();
      return { x: event.clientX - box.left, y: event.clientY - box.top };
    };
    const put = (next: View) => {
      latest.current = next;
      set(next);
    };
    const down = (event: PointerEvent) => {
      if (event.button !== 0 || (event.target as Element).closest(".tools, .inside")) return;
      fingers.set(event.pointerId, at(event));
      far = 0;
    };
    const move = (event: PointerEvent) => {
      const before = fingers.get(event.pointerId);
      const now = latest.current;
      if (!before || !now) return;
      const here = at(event);
      far += Math.abs(here.x - before.x) + Math.abs(here.y - before.y);
      if (far < 5) return;
      if (!element.hasPointerCapture(event.pointerId)) element.setPointerCapture(event.pointerId);
      setDragged(true);
      fingers.set(event.pointerId, here);
      const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
      if (!other) put({ ...now, left: now.left + here.x - before.x, top: now.top + here.y - before.y });
      else
        put(
          zoom(
            now,
            Math.hypot(here.x - other.x, here.y - other.y) /
              Math.max(1, Math.hypot(before.x - other.x, before.y - other.y)),
            (here.x + other.x) / 2,
            (here.y + other.y) / 2,
          ),
        );
    };
    const up = (event: PointerEvent) => {
      if (fingers.delete(event.pointerId) && far < 5 && event.type === "pointerup")
        click.current(at(event).x, at(event).y);
      if (fingers.size === 0) setDragged(false);
    };
    const wheel = (event: WheelEvent) => {
      const now = latest.current;
      if (!now) return;
      event.preventDefault();
      const { x, y } = at(event);
      if (event.ctrlKey || event.metaKey) put(zoom(now, Math.exp(-event.deltaY / 240), x, y));
      else put({ ...now, left: now.left - event.deltaX, top: now.top - event.deltaY });
    };
    element.addEventListener("pointerdown", down);
    element.addEventListener("pointermove", move);
    element.addEventListener("pointerup", up);
    element.addEventListener("pointercancel", up);
    element.addEventListener("wheel", wheel, { passive: false });
    return () => {
      element.removeEventListener("pointerdown", down);
      element.removeEventListener("pointermove", move);
      element.removeEventListener("pointerup", up);
      element.removeEventListener("pointercancel", up);
      element.removeEventListener("wheel", wheel);
    };
  }, []);
  return isDragged;
}
