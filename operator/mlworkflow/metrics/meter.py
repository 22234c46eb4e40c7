"""What is counted as it happens: a number or a histogram for each set of labels, which Prometheus' client is given when somebody scrapes.

A step costs some twenty calls, so they are cheap: half of what the client's own counters cost.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterable
from itertools import accumulate
from typing import TypeAlias

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from mlworkflow.metrics.definitions import DEFINITIONS, Definition

Key: TypeAlias = tuple[Definition, tuple[str, ...]]


class _Histogram:
    """How many values came up to each bound and not to the one before, the last above all of them; and their sum."""

    __slots__ = ("counts", "sum")

    def __init__(self, size: int) -> None:
        self.counts = [0] * (size + 1)
        self.sum = 0.0


class Meter(Collector):
    """Everything that is counted, in a `registry` of its own. Thread-safe, as calls of the store come from threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counters: dict[Key, float] = {}
        self._histograms: dict[Key, _Histogram] = {}
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(self)
        ProcessCollector(registry=self.registry)

    def add(self, counter: Definition, *labels: str, amount: float = 1.0) -> None:
        key = (counter, labels)
        with self._lock:
            self._counters[key] = self._counters.get(key, 0.0) + amount

    def observe(self, histogram: Definition, value: float, *labels: str) -> None:
        found = self._histograms.get((histogram, labels)) or self._begun((histogram, labels))
        with self._lock:
            found.counts[bisect_left(histogram.buckets, value)] += 1
            found.sum += value

    def expect(self, definition: Definition, *labels: str) -> None:
        """Have it there with zero: the first event of a series that was not there before is no increase to Prometheus."""
        if definition.kind == "counter":
            self.add(definition, *labels, amount=0.0)
        else:
            self._begun((definition, labels))

    def collect(self) -> Iterable[Metric]:
        with self._lock:
            counters = dict(self._counters)
            histograms = {key: (list(found.counts), found.sum) for key, found in self._histograms.items()}
        counts = {each: _counter(each) for each in DEFINITIONS if each.kind == "counter" and not each.is_looked_up}
        spreads = {each: _histogram(each) for each in DEFINITIONS if each.kind == "histogram"}
        for (definition, labels), value in counters.items():
            counts[definition].add_metric(labels, value)
        for (definition, labels), (found, total) in histograms.items():
            bounds = [*map(floatToGoString, definition.buckets), "+Inf"]
            spreads[definition].add_metric(labels, list(zip(bounds, accumulate(found), strict=True)), total)
        return [*counts.values(), *spreads.values()]

    def _begun(self, key: Key) -> _Histogram:
        with self._lock:
            return self._histograms.setdefault(key, _Histogram(len(key[0].buckets)))


def _counter(definition: Definition) -> CounterMetricFamily:
    return CounterMetricFamily(definition.name, definition.help, labels=definition.labels)


def _histogram(definition: Definition) -> HistogramMetricFamily:
    return HistogramMetricFamily(definition.name, definition.help, labels=definition.labels)
