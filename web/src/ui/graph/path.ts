/** The way of an edge as an SVG path: a start, then three points for each curve (as `layout` gives them), or straight lines where they are no curves. */
export function pathOf(points: readonly (readonly [number, number])[]): string {
  const [start, ...rest] = points;
  if (!start) return "";
  const said = rest.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`);
  const curved = rest.length > 0 && rest.length % 3 === 0;
  return `M${start[0].toFixed(1)} ${start[1].toFixed(1)}${curved ? "C" : "L"}${said.join(curved ? "," : "L")}`;
}
