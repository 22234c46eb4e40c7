"""Charts as inline SVG. Drawn here rather than by a plotting library: they follow the reader's light or dark setting, their bytes
do not depend on fonts or versions, and nothing has to be imported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from mlworkflow_steps.report.html import Markup, join, tag
from mlworkflow_steps.report.svg import BOTTOM, HEIGHT, LOW, TOP, WIDTH, Frame, short, svg, text

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

_MOST_DOTS = 2000
_BARS = 31


def confusion(labels: Sequence[str], counts: Array) -> Markup:
    """Rows are true classes, columns predicted ones; the colour is the share of the row. Where names do not fit above a column, both have numbers."""
    size, top = len(labels), 26.0
    edge = max(30.0, min(72.0, 380.0 / size))
    fits = max(map(len, labels)) <= edge / 7
    across = labels if fits else [str(index + 1) for index in range(size)]
    down = [
        short(label, 18) if fits else f"{short(label, 18)} · {number}"
        for label, number in zip(labels, across, strict=True)
    ]
    margin = 24.0 + 6.0 * max(map(len, down))
    parts: list[Markup] = []
    for row in range(size):
        total = max(int(counts[row].sum()), 1)
        y = top + row * edge
        parts.append(text(margin - 8, y + edge / 2 + 4, down[row], anchor="end"))
        parts.append(text(margin + row * edge + edge / 2, top - 8, across[row]))
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
                    text(x + edge / 2, y + edge / 2 + 4, count, class_="strong" if opacity < 0.5 else "inverse")
                )
    return svg(
        parts,
        margin + size * edge + 4,
        top + size * edge + 4,
        "Confusion matrix: true classes down, predicted classes across",
        room=WIDTH,
    )


def predicted_against_true(true: Array, predicted: Array) -> Markup:
    """A dot per row, at most 2,000 of them, evenly chosen; the diagonal is a perfect prediction."""
    chosen = np.unique(np.linspace(0, len(true) - 1, min(len(true), _MOST_DOTS)).astype(int))
    low, high = float(min(true.min(), predicted.min())), float(max(true.max(), predicted.max()))
    frame = Frame((low, high), (low, high))
    dots = "".join(f"M{frame.x(float(true[row])):.1f} {frame.y(float(predicted[row])):.1f}h0" for row in chosen)
    diagonal = f"M{frame.x(low):.1f} {frame.y(low):.1f}L{frame.x(high):.1f} {frame.y(high):.1f}"
    parts = [
        *frame.axes("true value", "predicted value"),
        tag("path", d=diagonal, class_="guide", fill="none"),
        tag("path", d=dots, class_="dots", fill="none"),
    ]
    return svg(parts, WIDTH, HEIGHT, "Predicted against true values")


def residuals(values: Array) -> Markup:
    """How often each size of error comes; the outermost half percent on either side is left out."""
    low, high = (float(bound) for bound in np.quantile(values, [0.005, 0.995]))
    if low == high:
        low, high = low - 1, high + 1
    counts, edges = np.histogram(values, bins=_BARS, range=(low, high))
    frame = Frame((low, high), (0.0, float(max(counts.max(), 1))))
    bars = [
        tag("rect", x=frame.x(float(edges[i])) + 0.5, y=frame.y(float(counts[i])), width=frame.x(float(edges[i + 1])) - frame.x(float(edges[i])) - 1,
            height=frame.y(0.0) - frame.y(float(counts[i])), class_="bar")
        for i in range(_BARS)
    ]  # fmt: skip
    zero = (
        [tag("path", d=f"M{frame.x(0.0):.1f} {TOP}V{HEIGHT - BOTTOM}", class_="guide", fill="none")]
        if low < 0 < high
        else []
    )
    return svg([*frame.axes("predicted − true", "rows"), *bars, *zero], WIDTH, HEIGHT, "Distribution of the errors")


def bars(rows: Sequence[tuple[str, float]], unit: str, longest: float = 0.0) -> Markup:
    """Horizontal bars, one per (label, value), as long as their value. `longest` is what fills the width; 0: the largest value."""
    edge, label_width = 24.0, 150.0
    longest = longest or max((value for _, value in rows), default=0.0) or 1.0
    parts: list[Markup] = []
    for index, (label, value) in enumerate(rows):
        y, width = index * edge, max(0.0, value) / longest * (WIDTH - label_width - 70)
        parts.append(text(label_width - 8, y + 16, short(label, 22), anchor="end"))
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
            text(
                label_width + width + 6,
                y + 16,
                f"{value:,}" if isinstance(value, int) else f"{value:.3g}",
                anchor="start",
            )
        )
    return svg(parts, WIDTH, max(edge, len(rows) * edge), f"Bars: {unit}")


def histogram(edges: Sequence[float], counts: Sequence[int], across: str) -> Markup:
    """Bars over their bins."""
    frame = Frame((edges[0], edges[-1]), (0.0, float(max(*counts, 1))), height=LOW)
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
    return svg([*frame.axes(across, "rows"), *bars], WIDTH, LOW, f"Distribution of {across}")


def pairs(bins: Sequence[str], before: Sequence[float], now: Sequence[float]) -> Markup:
    """Two shares for each bin, side by side: the light bar was before, the strong one is now."""
    edge, label_width = 30.0, 150.0
    longest = max(*before, *now) or 1.0
    parts: list[Markup] = []
    for index, (label, first, second) in enumerate(zip(bins, before, now, strict=True)):
        y = index * edge
        parts.append(text(label_width - 8, y + 19, short(label, 22), anchor="end"))
        for place, (share, kind) in enumerate(((first, "bar before"), (second, "bar"))):
            width, top = share / longest * (WIDTH - label_width - 60), y + 3 + 12 * place
            title = tag("title", f"{label}: {share:.1%}")
            parts.append(tag("rect", title, x=label_width, y=top, width=width, height=10, rx=2, class_=kind))
            parts.append(text(label_width + width + 6, top + 9, f"{share:.0%}", anchor="start"))
    return svg(parts, WIDTH, len(bins) * edge, "Shares before and now")


def spark(counts: Sequence[float]) -> Markup:
    """The shape of a distribution, as small as a line of text."""
    most, width, height = max(*counts, 0) or 1, 120.0, 24.0
    step = width / max(len(counts), 8)
    bars = [
        tag("rect", x=index * step + 0.5, y=height * (1 - count / most), width=step - 1, height=height * count / most, class_="bar")
        for index, count in enumerate(counts)
    ]  # fmt: skip
    return tag("svg", join(bars), viewBox=f"0 0 {width:g} {height:g}", class_="spark", aria_hidden="true")
