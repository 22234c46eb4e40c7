"""The charts of a search, as inline SVG. `Scale` places the values of a parameter: numbers, their logarithms, or the choices of a list."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from mlworkflow_steps.data.trials import Dimension
from mlworkflow_steps.report.html import Markup, tag
from mlworkflow_steps.report.svg import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, short, svg, text, ticks

_WIDE, _TALL = 1000.0, 330.0
_NARROW, _SHORT = 320.0, 220.0
_POWERS = 300.0
"""How many times the least value is the greatest, where an axis becomes logarithmic."""
_ROW = 22.0
_MOST_LINES = 300
_MOST_CHOICES = 12

Trial = Mapping[str, Any]


class Scale:
    """An axis from `start` to `end`, in pixels, for the values of a parameter or a metric. Values that are so far out that the others could not
    be told apart are on its edge.
    """

    def __init__(self, dimension: Dimension, values: Sequence[Any], start: float, end: float) -> None:
        self._dimension, self._start, self._end = dimension, start, end
        places = sorted(place for value in values if (place := dimension.place(value)) is not None)
        low, high = (-0.5, len(dimension.values) - 0.5) if dimension.kind == "choice" else _span(places)
        self._low, self._high = (low, high) if high > low else (low - 0.5, high + 0.5)

    def at(self, value: Any) -> float | None:
        """Where a value is; None for one that the parameter does not have."""
        place = self._dimension.place(value)
        return None if place is None else self._pixel(min(max(place, self._low), self._high))

    def marks(self) -> list[tuple[float, str]]:
        """Where the axis is labelled, and with what."""
        if self._dimension.kind == "choice":
            every = math.ceil(len(self._dimension.values) / _MOST_CHOICES)
            labels = [(float(at), written(value)) for at, value in enumerate(self._dimension.values)][::every]
        elif self._dimension.kind == "log":
            labels = [(place, _plain(10**place)) for place in self._powers()]
        else:
            labels = [(place, f"{place:g}") for place in ticks(self._low, self._high)]
        return [(self._pixel(place), label) for place, label in labels]

    def _powers(self) -> list[float]:
        whole = [float(power) for power in range(math.ceil(self._low), math.floor(self._high) + 1)]
        if len(whole) < 2:
            return [self._low, (self._low + self._high) / 2, self._high]
        return whole[:: math.ceil(len(whole) / 6)]

    def _pixel(self, place: float) -> float:
        return self._start + (place - self._low) / (self._high - self._low) * (self._end - self._start)


def history(trials: Sequence[Trial], metric: str, best: Sequence[Mapping[str, Any]]) -> Markup:
    """A dot for each trial, the line of the best so far, and a mark at the foot for each trial without a value."""
    last = trials[-1]["number"] if trials else 0
    floor = HEIGHT - BOTTOM
    across = Scale(Dimension("trial", "number"), [-0.5, last + 0.5], LEFT, WIDTH - RIGHT)
    up = _of_metric(trials, metric, floor - 10, TOP)
    parts = [*_axes(across, up, WIDTH, HEIGHT, "trial"), _aside(metric, floor)]
    for trial in trials:
        x = across.at(trial["number"])
        if _counts(trial, metric):
            is_best = any(trial["number"] == step["trial"] for step in best)
            parts.append(_dot(x, up.at(trial["values"][metric]), trial, metric, "dot best" if is_best else "dot"))
        elif x is not None:
            mark = f"mark {trial['phase'].lower()}"
            parts.append(tag("rect", _title(trial), x=x - 1.5, y=floor - 9, width=3, height=9, class_=mark))
    if best:
        places = [(across.at(step["trial"]), up.at(step["value"])) for step in best]
        line = f"M{places[0][0]:.1f} {places[0][1]:.1f}" + "".join(f"H{x:.1f}V{y:.1f}" for x, y in places[1:])
        parts.append(tag("path", d=f"{line}H{across.at(last):.1f}", class_="curve"))
    return svg(parts, WIDTH, HEIGHT, f"{metric} of each trial, and the best so far")


def slice_of(trials: Sequence[Trial], metric: str, dimension: Dimension) -> Markup:
    """A dot for each trial: across the parameter, up the metric. The later a trial, the stronger its dot."""
    found = [trial for trial in trials if _counts(trial, metric) and dimension.name in trial["params"]]
    values = [trial["params"][dimension.name] for trial in found]
    across = Scale(dimension, values, LEFT + 10, _NARROW - RIGHT - 10)
    up = _of_metric(trials, metric, _SHORT - BOTTOM - 8, TOP)
    parts = _axes(across, up, _NARROW, _SHORT, dimension.name)
    for order, trial in enumerate(found):
        opacity = 0.25 + 0.65 * (order + 1) / len(found)
        x = across.at(trial["params"][dimension.name])
        parts.append(_dot(x, up.at(trial["values"][metric]), trial, metric, "dot", opacity))
    return svg(parts, _NARROW, _SHORT, f"{metric} by {dimension.name}")


def curves(trials: Sequence[Trial], metric: str, best: int) -> Markup:
    """What each trial said on the way, a line each; those that were stopped end in a dot."""
    told = [trial for trial in trials if trial["curve"]][-_MOST_LINES:]
    points = {trial["number"]: [(step, value) for step, value in trial["curve"] if value is not None] for trial in told}
    everything = [pair for pairs in points.values() for pair in pairs]
    floor = _TALL - BOTTOM
    across = Scale(Dimension("step", "number"), [step for step, _ in everything], LEFT, _WIDE - RIGHT)
    up = Scale(Dimension(metric, "number"), [value for _, value in everything], floor - 6, TOP)
    parts = [*_axes(across, up, _WIDE, _TALL, "step"), _aside(metric, floor)]
    for trial in sorted(told, key=lambda trial: trial["number"] == best):
        places = [(across.at(step), up.at(value)) for step, value in points[trial["number"]]]
        if not places:
            continue
        kind = "line best" if trial["number"] == best else f"line {trial['phase'].lower()}"
        path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        opacity = 1.0 if trial["number"] == best else 0.55
        parts.append(tag("path", _title(trial, metric), d=path, class_=kind, stroke_opacity=opacity))
        if trial["phase"] == "Pruned":
            parts.append(tag("circle", _title(trial), cx=places[-1][0], cy=places[-1][1], r=3, class_="mark"))
    return svg(parts, _WIDE, _TALL, f"{metric} on the way, a line for each trial")


def parallel(trials: Sequence[Trial], metric: str, space: Sequence[Dimension], best: int, *, is_max: bool) -> Markup:
    """A line for each trial through its parameters to its value; the better the trial, the stronger its line."""
    found = [trial for trial in trials if _counts(trial, metric)]
    ranked = sorted(found, key=lambda trial: trial["values"][metric], reverse=not is_max)[-_MOST_LINES:]
    top, floor = 34.0, _TALL - 22
    axes = [*space, axis_of(found, metric)]
    step = (_WIDE - 150) / max(len(axes) - 1, 1)
    scales = [Scale(axis, [_on(trial, axis, metric) for trial in found], floor, top) for axis in axes]
    parts: list[Markup] = []
    for place, trial in enumerate(ranked):
        points: list[str] = []
        for index, (axis, scale) in enumerate(zip(axes, scales, strict=True)):
            y = scale.at(_on(trial, axis, metric))
            if y is not None:
                points.append(f"{75 + index * step:.1f} {y:.1f}")
        strength = ((place + 1) / len(ranked)) ** 2
        kind = "line best" if trial["number"] == best else "line"
        opacity = 1.0 if trial["number"] == best else 0.06 + 0.6 * strength
        parts.append(tag("path", _title(trial, metric), d="M" + "L".join(points), class_=kind, stroke_opacity=opacity))
    for index, (axis, scale) in enumerate(zip(axes, scales, strict=True)):
        x = 75 + index * step
        parts.append(tag("path", d=f"M{x:.1f} {top}V{floor}", class_="pole"))
        parts.append(text(x, 16, short(axis.name, max(8, int(step / 7))), class_="strong"))
        parts += [tag("text", short(label, 9), x=x + 5, y=y + 4, class_="halo") for y, label in scale.marks()]
    return svg(parts, _WIDE, _TALL, "Parallel coordinates: parameters, and the value that each trial reached")


def front(trials: Sequence[Trial], across: str, up: str, pareto: Sequence[int], *, draws_line: bool) -> Markup:
    """Two metrics against each other; trials that no other beats in all metrics stand out, joined by a line where there are but two metrics."""
    found = [trial for trial in trials if _counts(trial, across) and _counts(trial, up)]
    floor = HEIGHT - BOTTOM
    wide, high = _of_metric(found, across, LEFT + 10, WIDTH - RIGHT - 10), _of_metric(found, up, floor - 10, TOP)
    parts = [*_axes(wide, high, WIDTH, HEIGHT, across), _aside(up, floor)]
    places = {trial["number"]: (wide.at(trial["values"][across]), high.at(trial["values"][up])) for trial in found}
    if draws_line:
        line = sorted(places[number] for number in pareto if number in places)
        parts.append(tag("path", d="M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in line), class_="curve best"))
    for trial in sorted(found, key=lambda trial: trial["number"] in pareto):
        kind = "dot best" if trial["number"] in pareto else "dot"
        parts.append(_dot(*places[trial["number"]], trial, up, kind))
    return svg(parts, WIDTH, HEIGHT, f"{up} against {across}")


def time_line(lanes: Sequence[Mapping[str, Any]]) -> Markup:
    """A bar for each trial from its start to its end; trials at once are in rows of their own."""
    end = max((lane["end"] for lane in lanes), default=0.0) or 1.0
    unit, name = (3600.0, "hours") if end > 7200 else (60.0, "minutes") if end > 120 else (1.0, "seconds")
    rows = 1 + max((lane["row"] for lane in lanes), default=0)
    floor, span = rows * _ROW + 6, _WIDE - 40
    parts = []
    for value in ticks(0.0, end / unit):
        x = 20 + value * unit / end * span
        parts.append(tag("path", d=f"M{x:.1f} 0V{floor}", class_="axis"))
        parts.append(text(x, floor + 16, f"{value:g}"))
    for lane in lanes:
        x, width = 20 + lane["start"] / end * span, max(2.0, (lane["end"] - lane["start"]) / end * span - 1)
        title = tag("title", f"trial {lane['trial']}: {lane['phase']}, {lane['end'] - lane['start']:.3g} s")
        y, label = lane["row"] * _ROW + 2, str(lane["trial"])
        parts.append(
            tag("rect", title, x=x, y=y, width=width, height=_ROW - 4, rx=3, class_=f"span {lane['phase'].lower()}")
        )
        if width > 8 * len(label) + 4:
            parts.append(text(x + width / 2, y + 13, label, class_="inverse"))
    parts.append(text(_WIDE / 2, floor + 34, name))
    return svg(parts, _WIDE, floor + 40, f"When each trial ran, in {name}")


def axis_of(trials: Sequence[Trial], metric: str) -> Dimension:
    """A metric as a dimension: logarithmic where it goes over several powers of ten."""
    values = [trial["values"][metric] for trial in trials if _counts(trial, metric)]
    is_wide = bool(values) and min(values) > 0 and max(values) > _POWERS * min(values)
    return Dimension(metric, "log" if is_wide else "number")


def written(value: Any) -> str:
    """A value of a parameter, as a person reads it."""
    return value if isinstance(value, str) else f"{value:.4g}" if isinstance(value, float) else json.dumps(value)


def _plain(value: float) -> str:
    return f"{value:.3g}" if not 1000 <= value < 1e6 else f"{value:.0f}"


def _counts(trial: Trial, metric: str) -> bool:
    return trial["phase"] == "Succeeded" and metric in trial["values"]


def _on(trial: Trial, axis: Dimension, metric: str) -> Any:
    return (
        trial["values"][metric]
        if axis.name == metric and axis.name not in trial["params"]
        else trial["params"].get(axis.name)
    )


def _of_metric(trials: Sequence[Trial], metric: str, start: float, end: float) -> Scale:
    values = [trial["values"][metric] for trial in trials if _counts(trial, metric)]
    return Scale(axis_of(trials, metric), values, start, end)


def _span(places: Sequence[float]) -> tuple[float, float]:
    if not places:
        return 0.0, 1.0
    low, high = places[len(places) // 4], places[(3 * len(places)) // 4]
    reach = 4 * (high - low) or math.inf
    return max(places[0], low - reach), min(places[-1], high + reach)


def _axes(across: Scale, up: Scale, width: float, height: float, name: str) -> list[Markup]:
    floor = height - BOTTOM
    parts = [tag("path", d=f"M{LEFT} {TOP}V{floor}H{width - RIGHT}", class_="axis")]
    parts += [text(x, floor + 16, short(label, 10)) for x, label in across.marks()]
    for y, label in up.marks():
        parts.append(tag("path", d=f"M{LEFT} {y:.1f}H{width - RIGHT}", class_="axis"))
        parts.append(text(LEFT - 7, y + 4, label, anchor="end"))
    return [*parts, text((LEFT + width - RIGHT) / 2, height - 8, short(name, 40), class_="strong")]


def _aside(name: str, floor: float) -> Markup:
    middle = (TOP + floor) / 2
    return tag(
        "text", name, x=14, y=middle, text_anchor="middle", transform=f"rotate(-90 14 {middle:g})", class_="strong"
    )


def _title(trial: Trial, metric: str = "") -> Markup:
    params = ", ".join(f"{name}={written(value)}" for name, value in trial["params"].items())
    what = f"{metric} {trial['values'][metric]:.5g}" if metric in trial["values"] else trial["phase"]
    return tag("title", f"trial {trial['number']}: {what}; {params}")


def _dot(
    x: float | None, y: float | None, trial: Trial, metric: str, kind: str, opacity: float | None = None
) -> Markup:
    if x is None or y is None:  # a value of an earlier space
        return Markup("")
    return tag(
        "circle",
        _title(trial, metric),
        cx=x,
        cy=y,
        r=5 if "best" in kind else 3.5,
        class_=kind,
        fill_opacity=1 if "best" in kind else opacity,
    )
