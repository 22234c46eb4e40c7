/** What of a drawing is in the window, and how large: pure. A point of the drawing is at `x * scale + left`. */
export interface View {
  readonly left: number;
  readonly top: number;
  readonly scale: number;
}

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

const LEAST = 0.04;
const MOST = 2.5;
const MARGIN = 24;

/** All of it, no larger than it is; what is too long to be read so is shown from its beginning by `read`. */
export function framed(width: number, height: number, window: Box, least = LEAST): View {
  const scale = Math.min(
    1,
    Math.max(
      least,
      Math.min((window.width - 2 * MARGIN) / Math.max(1, width), (window.height - 2 * MARGIN) / Math.max(1, height)),
    ),
  );
  const left = width * scale > window.width - 2 * MARGIN ? MARGIN : (window.width - width * scale) / 2;
  const top =
    height * scale > window.height - 2 * MARGIN && least > LEAST ? MARGIN : (window.height - height * scale) / 2;
  return { left, top, scale };
}

/** Nearer or farther by a factor, with the point (x, y) of the window where it is. */
export function zoom(view: View, factor: number, x: number, y: number): View {
  const scale = Math.min(MOST, Math.max(LEAST, view.scale * factor));
  const by = scale / view.scale;
  return { scale, left: x - (x - view.left) * by, top: y - (y - view.top) * by };
}

/** So that a box is in sight: unchanged where it is. */
export function reveal(view: View, box: Box, window: Box): View {
  const scale = Math.max(view.scale, 0.6);
  const near = scale === view.scale ? view : zoom(view, scale / view.scale, window.width / 2, window.height / 2);
  const [x, y] = [box.x * scale + near.left, box.y * scale + near.top];
  const [w, h] = [box.width * scale, box.height * scale];
  const dx = x < MARGIN ? MARGIN - x : Math.min(0, window.width - MARGIN - (x + w));
  const dy = y < MARGIN ? MARGIN - y : Math.min(0, window.height - MARGIN - (y + h));
  return { scale, left: near.left + dx, top: near.top + dy };
}

export function isSeen(view: View, box: Box, window: Box): boolean {
  const [x, y] = [box.x * view.scale + view.left, box.y * view.scale + view.top];
  return (
    x + box.width * view.scale > -40 &&
    y + box.height * view.scale > -40 &&
    x < window.width + 40 &&
    y < window.height + 40
  );
}
