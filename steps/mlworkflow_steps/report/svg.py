"""What the charts are drawn on: a frame that knows where a value is, its axes, text, and the picture itself."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mlworkflow_steps.report.html import Markup, join, tag

WIDTH, HEIGHT, LOW = 460.0, 360.0, 240.0
LEFT, RIGHT, TOP, BOTTOM = 58.0, 12.0, 12.0, 42.0
_BOTH_ENDS = 12


class Frame:
    """The plotting area: from values to places, and the axes around it."""

    def __init__(
        self, across: tuple[float, float], up: tuple[float, float], height: float = HEIGHT, width: float = WIDTH
    ) -> None:
        self._across, self._up, self._floor, self._end = (
            _widened(*across),
            _widened(*up),
            height - BOTTOM,
            width - RIGHT,
        )

    def x(self, value: float) -> float:
        low, high = self._across
        return LEFT + (value - low) / (high - low) * (self._end - LEFT)

    def y(self, value: float) -> float:
        low, high = self._up
        return self._floor - (value - low) / (high - low) * (self._floor - TOP)

    def axes(self, across: str, up: str, places: Sequence[tuple[float, str]] | None = None) -> list[Markup]:
        """`places` are values across and what to write there; without them round numbers."""
        parts = [tag("path", d=f"M{LEFT} {TOP}V{self._floor}H{self._end}", class_="axis", fill="none")]
        for value, name in [(value, f"{value:g}") for value in ticks(*self._across)] if places is None else places:
            parts.append(text(self.x(value), self._floor + 16, name))
        for value in ticks(*self._up):
            parts.append(tag("path", d=f"M{LEFT} {self.y(value):.1f}H{self._end}", class_="axis", fill="none"))
            parts.append(text(LEFT - 7, self.y(value) + 4, f"{value:g}", anchor="end"))
        middle = (TOP + self._floor) / 2
        label = tag("text", up, x=14, y=middle, text_anchor="middle", transform=f"rotate(-90 14 {middle:g})")
        return [*parts, text((LEFT + self._end) / 2, self._floor + BOTTOM - 8, across), label]


def _widened(low: float, high: float) -> tuple[float, float]:
    return (low, high) if high > low else (low - 1, high + 1)


def ticks(low: float, high: float) -> list[float]:
    """Round numbers between the bounds: as few as there can be, four at least."""
    power = 10.0 ** math.floor(math.log10((high - low) / 4))
    for step in (power * factor for factor in (5, 2, 1)):
        first, last = math.ceil(low / step), math.floor(high / step)
        if last - first >= 3:
            break
    return [round(step * index, 12) for index in range(first, last + 1)]


def text(x: float, y: float, words: object, anchor: str = "middle", class_: str | None = None) -> Markup:
    return tag("text", words, x=x, y=y, text_anchor=anchor, class_=class_)


def short(words: str, length: int = 14) -> str:
    """At most so many letters. Long names that begin alike often end differently: what is left out is in the middle, where there is room for both ends."""
    if len(words) <= length:
        return words
    last = (length - 1) * 2 // 5 if length >= _BOTH_ENDS else 0
    return f"{words[: length - 1 - last]}…{words[len(words) - last :]}"


def svg(parts: Sequence[Markup], width: float, height: float, label: str, *, room: float = 0.0) -> Markup:
    """A picture as wide as its column; in the middle of `room` where that is more than it takes."""
    across = max(width, room)
    box = f"{(width - across) / 2:g} 0 {across:g} {height:g}"
    return tag("svg", join(parts), viewBox=box, role="img", aria_label=label)
