"""What is looked at when somebody scrapes: nothing is counted for it meanwhile."""

from __future__ import annotations

import os
import platform
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from mlworkflow.core.nodes import Role
from mlworkflow.core.observation import Seen
from mlworkflow.core.state import Phase
from mlworkflow.engine.engine import Engine
from mlworkflow.engine.live import Live
from mlworkflow.kube.client import KubeClient
from mlworkflow.kube.podview import CANNOT_START
from mlworkflow.kube.queue import QueueStatistics
from mlworkflow.kube.reflector import ReflectorStatistics
from mlworkflow.metrics import definitions as d
from mlworkflow.metrics.definitions import Definition
from mlworkflow.metrics.turns import OTHER, SCHEDULING, Turns

CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
_PHASES = tuple(str(phase) for phase in Phase if phase is not Phase.SKIPPED)
_WAITS = (*sorted(CANNOT_START | SCHEDULING), "Creating", "NotCreated", "Parallelism", "Lock", "Transfer", OTHER)


@dataclass(frozen=True, slots=True)
class Parts:
    """What of the operator is looked at. `queues` by name; `phases` counts resources; `in_flight` and `connections` are the gateway's."""

    client: KubeClient
    engine: Engine
    turns: Turns
    queues: Mapping[str, Callable[[], QueueStatistics]]
    watches: Callable[[], Iterable[ReflectorStatistics]]
    phases: Callable[[], Mapping[str, int]]
    in_flight: Callable[[], int]
    connections: Callable[[], int]


@dataclass(slots=True)
class _Steps:
    """Counted over all live workflows; `oldest` and `idle` in seconds."""

    running: int = 0
    approvals: int = 0
    oldest: float = 0.0
    idle: float = 0.0


class Snapshot(Collector):
    """For the registry."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._limit = memory_limit()

    def collect(self) -> Iterable[Metric]:
        yield _gauge(d.BUILD_INFO, {(version("mlworkflow"), platform.python_version()): 1.0})
        yield _gauge(d.MEMORY_LIMIT, {(): self._limit})
        phases = self._parts.phases()
        yield _gauge(d.WORKFLOWS, {(phase,): phases.get(phase, 0) for phase in _PHASES})
        yield from self._steps()
        yield from self._queues()
        yield from self._api()
        yield from self._watches()
        yield _gauge(d.STORE_UP, {(): 0.0 if self._parts.engine.waiting else 1.0})
        yield _gauge(d.GATEWAY_IN_FLIGHT, {(): self._parts.in_flight()})
        yield _gauge(d.GATEWAY_CONNECTIONS, {(): self._parts.connections()})

    def _steps(self) -> Iterable[Metric]:
        engine, waiting, steps = self._parts.engine, Counter[str](), _Steps()
        for live in engine.live.values():
            self._look_at(live, waiting, steps, engine.clock())
        for gone in self._parts.turns.changed_at.keys() - engine.live.keys():
            del self._parts.turns.changed_at[gone]
        yield _gauge(d.STEPS_RUNNING, {(): steps.running})
        yield _gauge(d.STEPS_WAITING, {(reason,): float(waiting[reason]) for reason in _WAITS})
        yield _gauge(d.STEPS_WAITING_OLDEST, {(): steps.oldest})
        yield _gauge(d.APPROVALS, {(): steps.approvals})
        yield _gauge(d.WORKFLOW_IDLE, {(): steps.idle})
        found = engine.cache.statistics()
        yield _counter(d.CACHE_LOOKUPS, {("hit",): found.hits, ("miss",): found.misses})

    def _look_at(self, live: Live, waiting: Counter[str], steps: _Steps, now: float) -> None:
        attempts = self._parts.engine.driver.attempts(live.workflow.uid).values()
        running = [attempt for attempt in attempts if attempt.seen is Seen.RUNNING]
        for attempt in attempts:
            if attempt.seen is Seen.WAITING:
                waiting[_reason(attempt.reason)] += 1
                since = attempt.created_at if attempt.waiting_since is None else attempt.waiting_since
                steps.oldest = max(steps.oldest, now - since)
        waiting["NotCreated"] += len(live.creating) if live.trouble else 0
        waiting["Parallelism"] += live.usage.wanted
        waiting["Lock"] += len(live.usage.waits_for)
        waiting["Transfer"] += len(live.waits)
        steps.running += len(running)
        nodes = live.plan.nodes
        asked = sum(
            task.phase is Phase.RUNNING and (node := nodes.get(name)) is not None and node.role is Role.APPROVAL
            for name, task in live.run.tasks.items()
        )
        steps.approvals += asked
        since = self._parts.turns.changed_at.setdefault(live.workflow.uid, now)
        if live.run.phase is Phase.RUNNING and not running and not asked:
            steps.idle = max(steps.idle, now - since)

    def _queues(self) -> Iterable[Metric]:
        found = {(name,): look() for name, look in self._parts.queues.items()}
        yield _gauge(d.QUEUE_DEPTH, {name: queue.depth for name, queue in found.items()})
        yield _gauge(d.QUEUE_OLDEST, {name: queue.oldest_age for name, queue in found.items()})
        yield _gauge(d.QUEUE_IN_FLIGHT, {name: queue.in_flight for name, queue in found.items()})

    def _api(self) -> Iterable[Metric]:
        found = self._parts.client.statistics()
        requests = {tuple(map(str, key)): count for key, count in found.requests.items()}
        yield _counter(d.API_REQUESTS, requests)
        yield _counter(d.API_RETRIES, {(): found.retries})
        yield _gauge(d.API_IN_FLIGHT, {(): found.in_flight})

    def _watches(self) -> Iterable[Metric]:
        found = list(self._parts.watches())
        yield _gauge(d.WATCH_AGE, {(): max((each.age for each in found), default=0.0)})
        yield _gauge(d.WATCH_OBJECTS, {(): sum(each.objects for each in found)})
        yield _counter(d.WATCH_EVENTS, {(): sum(each.events for each in found)})
        yield _counter(d.WATCH_RESTARTS, {(): sum(each.watches for each in found)})
        yield _counter(d.WATCH_FAILURES, {(): sum(each.failures for each in found)})


def memory_limit(files: Iterable[Path] = CGROUP_LIMITS) -> float:
    """Bytes that this process may use: its container's limit, or all that the machine has."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for file in files:
        try:
            text = file.read_text().strip()
        except OSError:
            continue
        if text.isdecimal():
            return float(min(int(text), machine))
    return float(machine)


def _reason(reason: str) -> str:
    """Why a Pod waits, from a set that is bounded."""
    if not reason:
        return "Creating"
    return reason if reason in _WAITS else OTHER


def _gauge(definition: Definition, values: Mapping[tuple[str, ...], float]) -> Metric:
    return _filled(GaugeMetricFamily(definition.name, definition.help, labels=definition.labels), values)


def _counter(definition: Definition, values: Mapping[tuple[str, ...], float]) -> Metric:
    return _filled(CounterMetricFamily(definition.name, definition.help, labels=definition.labels), values)


def _filled(
    family: GaugeMetricFamily | CounterMetricFamily, values: Mapping[tuple[str, ...], float]
) -> GaugeMetricFamily | CounterMetricFamily:
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family
