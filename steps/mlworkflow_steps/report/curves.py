"""Charts of curves, of values with their intervals, and of values over two columns. As `charts`: inline SVG that knows nothing of what it shows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mlworkflow_steps.report.html import Markup, join, tag
from mlworkflow_steps.report.svg import BOTTOM, LOW, RIGHT, TOP, WIDTH, Frame, short, svg, text, ticks

COLOURS = 6
_LABELS = 150.0
_EDGE = 24.0
_NARROWEST, _LETTER = 30.0, 6.0


@dataclass(frozen=True, slots=True)
class Line:
    """A curve through (`across`, `up`), and its `name` in the legend; `sizes`, from 0 to 1, makes each point a dot."""

    name: str
    across: Sequence[float]
    up: Sequence[float]
    sizes: Sequence[float] = ()


def lines(
    curves: Sequence[Line],
    across: str,
    up: str,
    *,
    reach: tuple[float, float, float, float] | None = None,
    guide: Sequence[tuple[float, float]] = (),
    places: Sequence[str] = (),
    is_ordered: bool = False,
    height: float = LOW,
    width: float = WIDTH,
) -> Markup:
    """Curves in one frame, told apart by colour. `reach` is what the axes span (left, right, low, high), else what the curves take; `guide` a dashed
    line through these points; `places` are the names of 0, 1, … across: all of them, shortened, or, where they are in an order, as many as have room."""
    left, right, low, high = reach or _reach(curves)
    if places:
        left, right = -0.5, len(places) - 0.5
    frame = Frame((left, right), (low, high), height=height, width=width)
    named = _named(places, width - 70, is_ordered) if places else None
    parts = frame.axes(across, up, named)
    if guide:
        parts.append(tag("path", d=_path(frame, guide), class_="guide", fill="none"))
    for index, curve in enumerate(curves):
        points = list(zip(curve.across, curve.up, strict=True))
        title = tag("title", curve.name)
        parts.append(tag("path", title, d=_path(frame, points), class_=f"series c{index % COLOURS}"))
        for (x, y), size in zip(points, curve.sizes, strict=False):
            title = tag("title", f"{x:.4g}: {y:.4g}")
            parts.append(tag("circle", title, cx=frame.x(x), cy=frame.y(y), r=2.5 + 5 * size, class_="dot"))
    return svg(parts, width, height, f"{up} by {across}" if across else up)


def legend(names: Sequence[str]) -> Markup:
    """Which colour is which; nothing for a single curve."""
    if len(names) < 2:
        return Markup("")
    entries = []
    for index, name in enumerate(names):
        stroke = tag("path", d="M0 5H18", class_=f"series c{index % COLOURS}")
        entries.append(tag("li", tag("svg", stroke, viewBox="0 0 18 10", aria_hidden="true"), name))
    return tag("ul", *entries, class_="legend")


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its interval (low, high); `other` is what it is compared with, `note` stands behind it."""

    label: str
    value: float
    interval: tuple[float, float] | None = None
    other: float | None = None
    note: str = ""
    is_bad: bool = False


def estimates(rows: Sequence[Estimate], across: str, guide: float | None = None) -> Markup:
    """A line for each value: a dot, its interval as a whisker, an open circle for what it is compared with; `guide` is a dashed line through all."""
    shown: list[float] = [] if guide is None else [guide]
    for row in rows:
        shown += [row.value, *(row.interval or ()), *([] if row.other is None else [row.other])]
    low, high = min(shown), max(shown)
    margin = (high - low) * 0.04 or abs(high) * 0.1 or 1.0
    low, high = low - margin, high + margin
    end, height = WIDTH - RIGHT - 58, len(rows) * _EDGE + BOTTOM

    def place(value: float) -> float:
        return _LABELS + (value - low) / (high - low) * (end - _LABELS)

    floor = height - BOTTOM + 4
    parts = [tag("path", d=f"M{_LABELS} {floor:g}H{end:g}", class_="axis", fill="none")]
    for value in ticks(low, high):
        parts.append(tag("path", d=f"M{place(value):.1f} {TOP / 2:g}V{floor:g}", class_="axis", fill="none"))
        parts.append(text(place(value), floor + 15, f"{value:g}"))
    if guide is not None:
        parts.append(tag("path", d=f"M{place(guide):.1f} {TOP / 2:g}V{floor:g}", class_="guide", fill="none"))
    for index, row in enumerate(rows):
        y = index * _EDGE + _EDGE / 2 + 2
        parts.append(text(_LABELS - 8, y + 4, short(row.label, 22), anchor="end"))
        if row.interval is not None:
            first, last = row.interval
            parts.append(tag("path", d=f"M{place(first):.1f} {y:g}H{place(last):.1f}", class_="whisker"))
        if row.other is not None:
            parts.append(tag("circle", tag("title", f"champion: {row.other:.4g}"), cx=place(row.other), cy=y, r=4.5, class_="rival"))  # fmt: skip
        title = tag("title", f"{row.label}: {row.value:.4g}")
        parts.append(tag("circle", title, cx=place(row.value), cy=y, r=4, class_="dot wrong" if row.is_bad else "dot"))
        parts.append(text(WIDTH - RIGHT, y + 4, row.note, anchor="end"))
    parts.append(text((_LABELS + end) / 2, height - 6, across))
    return svg(parts, WIDTH, height, f"{across}, a line each")


def heat(
    down: Sequence[str], across: Sequence[str], values: Sequence[Sequence[float]], names: tuple[str, str]
) -> Markup:
    """A cell for each pair, the stronger the larger; the number stands in it."""
    flat = [value for row in values for value in row]
    low, high = min(flat), max(flat)
    left, top = 92.0, 34.0
    width, edge = (WIDTH - left - 6) / len(across), 30.0
    parts = [text((left + WIDTH) / 2, 12, names[1]), text(left - 8, 27, names[0], anchor="end", class_="strong")]
    parts += [text(left + (index + 0.5) * width, 27, short(name, 7)) for index, name in enumerate(across)]
    for row, name in enumerate(down):
        y = top + row * edge
        parts.append(text(left - 8, y + edge / 2 + 4, short(name, 13), anchor="end"))
        for column, value in enumerate(values[row]):
            x, share = left + column * width, (value - low) / ((high - low) or 1.0)
            title = tag("title", f"{names[0]} {name}, {names[1]} {across[column]}: {value:.4g}")
            opacity = 0.06 + 0.84 * share
            parts.append(tag("rect", title, x=x + 1, y=y + 1, width=width - 2, height=edge - 2, rx=3, class_="cell", fill_opacity=opacity))  # fmt: skip
            parts.append(text(x + width / 2, y + edge / 2 + 4, f"{value:.3g}", class_="strong" if opacity < 0.5 else "inverse"))  # fmt: skip
    return svg(parts, WIDTH, top + len(down) * edge + 4, f"By {names[0]} and {names[1]}")


def figure(caption: str, *content: Markup) -> Markup:
    return tag("figure", tag("figcaption", caption), join(content))


def _reach(curves: Sequence[Line]) -> tuple[float, float, float, float]:
    across = [value for curve in curves for value in curve.across]
    up = [value for curve in curves for value in curve.up]
    margin = (max(up) - min(up)) * 0.05
    return min(across), max(across), min(up) - margin, max(up) + margin


def _named(places: Sequence[str], room: float, is_ordered: bool) -> list[tuple[float, str]]:
    longest = max(map(len, places)) if is_ordered else 1
    step = math.ceil(len(places) * max(_NARROWEST, longest * _LETTER + 10) / room)
    letters = int(room / math.ceil(len(places) / step) / _LETTER)
    return [(float(place), short(places[place], letters)) for place in range(0, len(places), step)]


def _path(frame: Frame, points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{frame.x(x):.1f} {frame.y(y):.1f}" for x, y in points)
