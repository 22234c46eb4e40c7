/** Which rows of a long list are in sight: only they are in the document. Rows have one height. */
import type { RefObject } from "preact";
import { useEffect, useState } from "preact/hooks";

export interface Sight {
  readonly first: number;
  /** One behind the last. */
  readonly end: number;
}

const AROUND = 8;

export function inSight(top: number, height: number, row: number, count: number): Sight {
  const first = Math.max(0, Math.floor(top / row) - AROUND);
  return { first: Math.min(first, count), end: Math.min(count, Math.ceil((top + height) / row) + AROUND) };
}

export function useSight(container: RefObject<HTMLElement | null>, count: number, row: number): Sight {
  const [sight, set] = useState<Sight>({ first: 0, end: Math.min(count, 40) });
  useEffect(() => {
    const element = container.current;
    if (!element) return;
    let frame = 0;
    const look = () => {
      frame = 0;
      const next = inSight(element.scrollTop, element.clientHeight, row, count);
      set((old) => (old.first === next.first && old.end === next.end ? old : next));
    };
    const soon = () => {
      frame ||= requestAnimationFrame(look);
    };
    look();
    const watching = new ResizeObserver(soon);
    watching.observe(element);
    element.addEventListener("scroll", soon, { passive: true });
    return () => {
      cancelAnimationFrame(frame);
      watching.disconnect();
      element.removeEventListener("scroll", soon);
    };
  }, [count, row]);
  return sight.end > count ? { first: Math.min(sight.first, Math.max(0, count - 1)), end: count } : sight;
}
