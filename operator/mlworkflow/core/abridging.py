"""Which tasks of many a status shows: every watcher is sent it at every change, and etcd takes no more than 1.5 MB. Pure.

What is left out a restart finds elsewhere: results in records, what runs in its Pods, and what was skipped by looking again. Callers: `status`.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from itertools import islice

from msgspec.structs import replace

from mlworkflow.core.nodes import Nodes
from mlworkflow.core.state import Phase, Task

MANY = 500
"""Tasks that are shown, whatever has become of them. Of more, a choice is."""
LAST = 10
"""Of many, the trials that have succeeded last."""
MOST = {Phase.FAILED: 200, Phase.PENDING: 150, Phase.RUNNING: 100, Phase.CANCELLED: 50}
"""Of many, those that are shown as they are: failed, about to be tried again, running, and cancelled without what they are part of."""
BRIEFLY = 1000
"""Of many, further ones that have ended without a result, and trials that run, which hold on to their point: just that is shown of them."""
WORDS = 300
"""Of many, characters of a message."""


def chosen(tasks: Mapping[str, Task], below: Mapping[str, Task], nodes: Nodes) -> dict[str, Task]:
    """Those of the tasks `below` the steps, of all `tasks`, that the status shows, as it shows them."""
    if len(below) <= MANY:
        return dict(below)
    by_phase: dict[Phase, list[str]] = {phase: [] for phase in Phase}
    for name, task in below.items():
        by_phase[task.phase].append(name)
    by_phase[Phase.CANCELLED] = [name for name in by_phase[Phase.CANCELLED] if not _is_told(name, tasks, nodes)]
    trials = [name for name in by_phase[Phase.SUCCEEDED] if _is_trial(name, nodes)]
    found = dict.fromkeys(heapq.nlargest(LAST, trials, key=lambda name: (below[name].finished_at or 0.0, name)))
    shown = {name: below[name] for name in found}
    for phase, most in MOST.items():
        shown |= {name: replace(below[name], message=below[name].message[-WORDS:]) for name in by_phase[phase][:most]}
    rest = [name for phase in (Phase.FAILED, Phase.CANCELLED) for name in by_phase[phase][MOST[phase] :]]
    rest += [name for name in by_phase[Phase.RUNNING][MOST[Phase.RUNNING] :] if _is_trial(name, nodes)]
    return shown | {name: _brief(below[name]) for name in islice(rest, BRIEFLY)}


def _is_trial(name: str, nodes: Nodes) -> bool:
    return (node := nodes.get(name)) is not None and node.trial is not None


def _is_told(name: str, tasks: Mapping[str, Task], nodes: Nodes) -> bool:
    """Whether the end of what a cancelled task is part of, or its own record, tells what became of it."""
    node = nodes.get(name)
    above = (one.task for one in node.chain() if one is not node) if node else ()
    return tasks[name].is_pruned or any(task in tasks and tasks[task].is_finished for task in above)


def _brief(task: Task) -> Task:
    return Task(
        task.phase,
        task.reason,
        attempt=task.attempt,
        failures=task.failures,
        losses=task.losses,
        since=task.since,
        started_at=task.started_at,
        finished_at=task.finished_at,
        params=task.params,
    )
