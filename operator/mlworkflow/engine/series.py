"""What attempts have said of their metrics on the way, to be looked at: in memory while they run, beside their record afterwards.

Nothing is decided by it, and what is lost with an operator is sent again by those that run. Callers: `runs`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from mlworkflow.gateway.runs import Batch, Point
from mlworkflow.store.layout import AttemptKey

MOST = 2000
"""Points of one metric that are kept; of more, evenly chosen ones."""
NAMES = 100
"""Metrics of one attempt that are kept."""
ATTEMPTS = 2000
"""Attempts whose points are kept; those that said something the longest ago go first."""


@dataclass(slots=True)
class _Line:
    """One metric: of `count` points each `stride`-th, and the last."""

    points: list[Point] = field(default_factory=list)
    last: Point | None = None
    count: int = 0
    stride: int = 1

    def add(self, point: Point) -> None:
        if self.count % self.stride == 0:
            self.points.append(point)
        self.count += 1
        self.last = point
        if len(self.points) > MOST:
            del self.points[1::2]
            self.stride *= 2

    def shown(self) -> Iterator[Point]:
        yield from self.points
        if self.last is not None and self.points[-1] is not self.last:
            yield self.last


@dataclass(slots=True)
class _Said:
    lines: dict[str, _Line] = field(default_factory=dict)
    sent: int = 0


class Series:
    """Of all workflows, by attempt."""

    def __init__(self) -> None:
        self._said: OrderedDict[AttemptKey, _Said] = OrderedDict()

    def note(self, key: AttemptKey, batch: Batch) -> bool:
        """Take what an attempt sends, each point once; false where what it sent before is not known here."""
        said = self._said.get(key) or _Said()
        first = said.sent if batch.first is None else batch.first
        if first > said.sent:
            return False
        for point in batch.metrics[said.sent - first :]:
            if point.name in said.lines or len(said.lines) < NAMES:
                said.lines.setdefault(point.name, _Line()).add(point)
        said.sent = max(said.sent, first + len(batch.metrics))
        self._said[key] = said
        self._said.move_to_end(key)
        if len(self._said) > ATTEMPTS:
            self._said.popitem(last=False)
        return True

    def of(self, key: AttemptKey) -> Sequence[Point]:
        """Metric by metric, each in its order."""
        said = self._said.get(key)
        return [point for line in said.lines.values() for point in line.shown()] if said else ()

    def end(self, key: AttemptKey) -> Sequence[Point]:
        """What is to be kept of an attempt that has ended: nothing where each metric has its last value alone, which its record has."""
        points = self.of(key)
        self._said.pop(key, None)
        return points if len({point.name for point in points}) < len(points) else ()
