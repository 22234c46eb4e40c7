"""Charts as inline SVG. Drawn here rather than by a plotting library: they follow the reader's light or dark setting, their bytes
do not depend on fonts or versions, and nothing has to be imported."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from mlworkflow_steps.report.html import Markup, join, tag

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

_WIDTH, _HEIGHT, _LOW = 460.0, 360.0, 240.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 58.0, 12.0, 12.0, 42.0
_MOST_DOTS = 2000
_BARS = 31


def confusion(labels: Sequence[str], counts: Array) -> Markup:
    """Rows are true classes, columns predicted ones; the colour is the share of the row."""
    size, edge = len(labels), 44.0 if len(labels) <= 12 else 30.0
    margin = 24.0 + 6.5 * min(14, max(len(label) for label in labels))
    parts: list[Markup] = []
    for row in range(size):
        total = max(int(counts[row].sum()), 1)
        y = margin + row * edge
        parts.append(_text(margin - 8, y + edge / 2 + 4, _short(labels[row]), anchor="end"))
        parts.append(_text(margin + row * edge + edge / 2, margin - 8, _short(labels[row], 6)))
        for column in range(size):
            count, x = int(counts[row, column]), margin + column * edge
            share = count / total
            title = tag("title", f"true {labels[row]}, predicted {labels[column]}: {count} ({share:.1%})")
            opacity = 0.04 + 0.82 * share if row == column else min(1.0, 0.04 + 2.5 * share)
            kind = "cell" if row == column or not count else "cell wrong"
            parts.append(
                tag(
                    "rect",
                    title,
                    x=x + 1,
                    y=y + 1,
                    width=edge - 2,
                    height=edge - 2,
                    rx=4,
                    class_=kind,
                    fill_opacity=opacity,
                )
            )
            if count:
                parts.append(
                    _text(x + edge / 2, y + edge / 2 + 4, count, class_="strong" if opacity < 0.5 else "inverse")
                )
    side = margin + size * edge + 4
    return _svg(parts, side, side, "Confusion matrix: true classes down, predicted classes across")


def predicted_against_true(true: Array, predicted: Array) -> Markup:
    """A dot per row, at most 2,000 of them, evenly chosen; the diagonal is a perfect prediction."""
    chosen = np.unique(np.linspace(0, len(true) - 1, min(len(true), _MOST_DOTS)).astype(int))
    low, high = float(min(true.min(), predicted.min())), float(max(true.max(), predicted.max()))
    frame = _Frame((low, high), (low, high))
    dots = "".join(f"M{frame.x(float(true[row])):.1f} {frame.y(float(predicted[row])):.1f}h0" for row in chosen)
    diagonal = f"M{frame.x(low):.1f} {frame.y(low):.1f}L{frame.x(high):.1f} {frame.y(high):.1f}"
    parts = [
        *frame.axes("true value", "predicted value"),
        tag("path", d=diagonal, class_="guide", fill="none"),
        tag("path", d=dots, class_="dots", fill="none"),
    ]
    return _svg(parts, _WIDTH, _HEIGHT, "Predicted against true values")


def residuals(values: Array) -> Markup:
    """How often each size of error comes; the outermost half percent on either side is left out."""
    low, high = (float(bound) for bound in np.quantile(values, [0.005, 0.995]))
    if low == high:
        low, high = low - 1, high + 1
    counts, edges = np.histogram(values, bins=_BARS, range=(low, high))
    frame = _Frame((low, high), (0.0, float(max(counts.max(), 1))))
    bars = [
        tag("rect", x=frame.x(float(edges[i])) + 0.5, y=frame.y(float(counts[i])), width=frame.x(float(edges[i + 1])) - frame.x(float(edges[i])) - 1,
            height=frame.y(0.0) - frame.y(float(counts[i])), class_="bar")
        for i in range(_BARS)
    ]  # fmt: skip
    zero = (
        [tag("path", d=f"M{frame.x(0.0):.1f} {_TOP}V{_HEIGHT - _BOTTOM}", class_="guide", fill="none")]
        if low < 0 < high
        else []
    )
    return _svg([*frame.axes("predicted − true", "rows"), *bars, *zero], _WIDTH, _HEIGHT, "Distribution of the errors")


def roc(false_positive: Array, true_positive: Array) -> Markup:
    """The trade between false alarms and hits; the diagonal is chance."""
    frame = _Frame((0.0, 1.0), (0.0, 1.0))
    points = [
        f"{frame.x(float(x)):.1f} {frame.y(float(y)):.1f}" for x, y in zip(false_positive, true_positive, strict=True)
    ]
    chance = tag(
        "path", d=f"M{frame.x(0):.1f} {frame.y(0):.1f}L{frame.x(1):.1f} {frame.y(1):.1f}", class_="guide", fill="none"
    )
    curve = tag("path", d="M" + "L".join(points), class_="curve", fill="none")
    return _svg([*frame.axes("false positive rate", "true positive rate"), chance, curve], _WIDTH, _HEIGHT, "ROC curve")


def bars(rows: Sequence[tuple[str, float]], unit: str, longest: float = 0.0) -> Markup:
    """Horizontal bars, one per (label, value), as long as their value. `longest` is what fills the width; 0: the largest value."""
    edge, label_width = 24.0, 150.0
    longest = longest or max((value for _, value in rows), default=0.0) or 1.0
    parts: list[Markup] = []
    for index, (label, value) in enumerate(rows):
        y, width = index * edge, max(0.0, value) / longest * (_WIDTH - label_width - 70)
        parts.append(_text(label_width - 8, y + 16, _short(label, 22), anchor="end"))
        parts.append(
            tag(
                "rect",
                tag("title", f"{label}: {value:.4g} {unit}"),
                x=label_width,
                y=y + 4,
                width=width,
                height=edge - 8,
                rx=3,
                class_="bar",
            )
        )
        parts.append(
            _text(
                label_width + width + 6,
                y + 16,
                f"{value:,}" if isinstance(value, int) else f"{value:.3g}",
                anchor="start",
            )
        )
    return _svg(parts, _WIDTH, max(edge, len(rows) * edge), f"Bars: {unit}")


def histogram(edges: Sequence[float], counts: Sequence[int], across: str) -> Markup:
    """Bars over their bins."""
    frame = _Frame((edges[0], edges[-1]), (0.0, float(max(*counts, 1))), height=_LOW)
    bars = [
        tag(
            "rect",
            tag("title", f"{low:.4g} to {high:.4g}: {count:,}"),
            x=frame.x(low) + 0.5,
            y=frame.y(count),
            width=max(0.5, frame.x(high) - frame.x(low) - 1),
            height=frame.y(0.0) - frame.y(count),
            class_="bar",
        )
        for low, high, count in zip(edges, edges[1:], counts, strict=False)
    ]
    return _svg([*frame.axes(across, "rows"), *bars], _WIDTH, _LOW, f"Distribution of {across}")


def pairs(bins: Sequence[str], before: Sequence[float], now: Sequence[float]) -> Markup:
    """Two shares for each bin, side by side: the light bar was before, the strong one is now."""
    edge, label_width = 30.0, 150.0
    longest = max(*before, *now) or 1.0
    parts: list[Markup] = []
    for index, (label, first, second) in enumerate(zip(bins, before, now, strict=True)):
        y = index * edge
        parts.append(_text(label_width - 8, y + 19, _short(label, 22), anchor="end"))
        for place, (share, kind) in enumerate(((first, "bar before"), (second, "bar"))):
            width, top = share / longest * (_WIDTH - label_width - 60), y + 3 + 12 * place
            title = tag("title", f"{label}: {share:.1%}")
            parts.append(tag("rect", title, x=label_width, y=top, width=width, height=10, rx=2, class_=kind))
            parts.append(_text(label_width + width + 6, top + 9, f"{share:.0%}", anchor="start"))
    return _svg(parts, _WIDTH, len(bins) * edge, "Shares before and now")


def spark(counts: Sequence[float]) -> Markup:
    """The shape of a distribution, as small as a line of text."""
    most, width, height = max(*counts, 0) or 1, 120.0, 24.0
    step = width / max(len(counts), 8)
    bars = [
        tag("rect", x=index * step + 0.5, y=height * (1 - count / most), width=step - 1, height=height * count / most, class_="bar")
        for index, count in enumerate(counts)
    ]  # fmt: skip
    return tag("svg", join(bars), viewBox=f"0 0 {width:g} {height:g}", class_="spark", aria_hidden="true")


class _Frame:
    """The plotting area: from values to places, and the axes around it."""

    def __init__(self, across: tuple[float, float], up: tuple[float, float], height: float = _HEIGHT) -> None:
        self._across, self._up, self._floor = _widened(*across), _widened(*up), height - _BOTTOM

    def x(self, value: float) -> float:
        low, high = self._across
        return _LEFT + (value - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        low, high = self._up
        return self._floor - (value - low) / (high - low) * (self._floor - _TOP)

    def axes(self, across: str, up: str) -> list[Markup]:
        parts = [tag("path", d=f"M{_LEFT} {_TOP}V{self._floor}H{_WIDTH - _RIGHT}", class_="axis", fill="none")]
        for value in _ticks(*self._across):
            parts.append(_text(self.x(value), self._floor + 16, f"{value:g}"))
        for value in _ticks(*self._up):
            parts.append(tag("path", d=f"M{_LEFT} {self.y(value):.1f}H{_WIDTH - _RIGHT}", class_="axis", fill="none"))
            parts.append(_text(_LEFT - 7, self.y(value) + 4, f"{value:g}", anchor="end"))
        middle = (_TOP + self._floor) / 2
        label = tag("text", up, x=14, y=middle, text_anchor="middle", transform=f"rotate(-90 14 {middle:g})")
        return [*parts, _text((_LEFT + _WIDTH - _RIGHT) / 2, self._floor + _BOTTOM - 8, across), label]


def _widened(low: float, high: float) -> tuple[float, float]:
    return (low, high) if high > low else (low - 1, high + 1)


def _ticks(low: float, high: float) -> list[float]:
    """About five round numbers between the bounds."""
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    return [round(step * index, 12) for index in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _text(x: float, y: float, text: object, anchor: str = "middle", class_: str | None = None) -> Markup:
    return tag("text", text, x=x, y=y, text_anchor=anchor, class_=class_)


def _short(text: str, length: int = 14) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _svg(parts: Sequence[Markup], width: float, height: float, label: str) -> Markup:
    return tag("svg", join(parts), viewBox=f"0 0 {width:g} {height:g}", role="img", aria_label=label)
