"""How the nodes of a drawing stand, and what has changed since. Pure.

A node that stands for one task is as its task; one that stands for many counts them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec

from mlworkflow.core.state import Phase
from mlworkflow.runs.approvals import waiting
from mlworkflow.runs.run import Run
from mlworkflow.ui.answers import NodeState, RunPhase, RunState, Verb
from mlworkflow.ui.drawing import Drawing
from mlworkflow.ui.shown import cut, millis, node_of, phase_of, told

SHOWN = 20
"""Waiting tasks that are named."""
_WORST = (Phase.RUNNING, Phase.SUSPENDED, Phase.FAILED, Phase.CANCELLED, Phase.PENDING, Phase.SUCCEEDED, Phase.SKIPPED)
"""Which phase of many is told as that of all; a failure is told once nothing runs any more."""


def run_state(run: Run, drawing: Drawing, rights: Sequence[Verb], revision: int) -> RunState:
    """Everything that changes of a run."""
    asked = [] if run.phase.is_finished or run.is_archived else [one.task for one in waiting(run)]
    return RunState(
        phase=cast("RunPhase", str(run.phase)),
        progress=str(run.status.get("progress") or ""),
        message=str(run.status.get("message") or ""),
        started=millis(run.status.get("startedAt")),
        finished=millis(run.status.get("finishedAt")),
        generation=int(run.resource["metadata"].get("generation") or 1),
        nodes=list(_nodes(run, drawing, {drawing.node(node_of(task)) for task in asked}).values()),
        waiting=asked[:SHOWN],
        may=[verb for verb in _sensible(run, bool(asked)) if verb in rights],
        revision=revision,
    )


def news(before: RunState | None, now: RunState) -> RunState:
    """A state with those nodes only that are not as they were."""
    if before is None or before.generation != now.generation:
        return now
    known = {node.id: node for node in before.nodes}
    return msgspec.structs.replace(now, nodes=[node for node in now.nodes if known.get(node.id) != node])


def counts_below(run: Run, task: Mapping[str, Any]) -> Counter[str]:
    """The parts of a task by phase: also those that have succeeded and that a status of many does not list."""
    parts = run.below(str(task["name"]))
    found = Counter(str(phase_of(part)) for part in parts)
    if missing := _ended(task) - sum(phase_of(part).is_finished for part in parts):
        found[Phase.SUCCEEDED] += max(0, missing)
    return found


def _nodes(run: Run, drawing: Drawing, waits: set[str]) -> dict[str, NodeState]:
    tasks: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for task in run.known.values():
        tasks[drawing.node(node_of(task["name"]))].append(task)
    found = {}
    for node in drawing.graph.nodes:
        mine = tasks.get(node.id, [])
        whole = run.known.get(node.id)
        if node.role == "fold" or whole is None:
            found[node.id] = _of_many(node.id, mine, node.id in waits, node.stands if node.role == "fold" else 0)
        else:
            found[node.id] = _of_one(run, node.id, whole, node.id in waits)
    return found


def _of_one(run: Run, id_: str, task: Mapping[str, Any], waits: bool) -> NodeState:
    counts = counts_below(run, task) if task.get("progress") or run.below(id_) else Counter[str]()
    return NodeState(
        id=id_,
        phase=told(phase_of(task)),
        reason=str(task.get("reason") or ""),
        message=cut(task.get("message")),
        started=millis(task.get("startedAt")),
        finished=millis(task.get("finishedAt")),
        attempts=int(task.get("attempts") or 0),
        cached=bool(task.get("cached")),
        waits=waits,
        counts=dict(counts),
        known=_all(task) or sum(counts.values()),
    )


def _of_many(id_: str, tasks: Sequence[Mapping[str, Any]], waits: bool, least: int) -> NodeState:
    counts = Counter(str(phase_of(task)) for task in tasks)
    if (unstarted := least - len(tasks)) > 0:
        counts[Phase.PENDING] += unstarted
    phase = next((each for each in _WORST if counts[each]), Phase.PENDING)
    if phase is Phase.PENDING and any(counts[each] for each in (Phase.SUCCEEDED, Phase.SKIPPED)):
        phase = Phase.RUNNING
    first = next((task for task in tasks if phase_of(task) == phase), {})
    started = [time for task in tasks if (time := millis(task.get("startedAt")))]
    finished = [time for task in tasks if (time := millis(task.get("finishedAt")))]
    return NodeState(
        id=id_,
        phase=told(phase),
        reason=str(first.get("reason") or ""),
        message=cut(first.get("message")),
        started=min(started, default=None),
        finished=max(finished, default=None) if phase.is_finished else None,
        attempts=max((int(task.get("attempts") or 0) for task in tasks), default=0),
        cached=bool(tasks) and all(task.get("cached") for task in tasks),
        waits=waits,
        counts=dict(counts),
        known=max(least, len(tasks)),
    )


def _ended(task: Mapping[str, Any]) -> int:
    return int(str(task.get("progress") or "0/0").partition("/")[0])


def _all(task: Mapping[str, Any]) -> int:
    return int(str(task.get("progress") or "0/0").partition("/")[2] or 0)


def _sensible(run: Run, is_asked: bool) -> list[Verb]:
    """What there is to be asked of a run as it stands."""
    if run.is_archived:
        return []
    if run.phase.is_finished:
        return ["retry", "delete", "promote"]
    is_suspended = bool((run.resource.get("spec") or {}).get("suspend"))
    found: list[Verb] = ["resume" if is_suspended else "suspend", "cancel", "promote"]
    return [*found, "approve"] if is_asked else found
