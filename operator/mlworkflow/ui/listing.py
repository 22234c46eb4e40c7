"""The tasks of a run in pages, and as a time line. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from mlworkflow.core import paths
from mlworkflow.core.state import Phase
from mlworkflow.runs.run import Run
from mlworkflow.ui.answers import TasksPage, Timeline
from mlworkflow.ui.drawing import Drawing
from mlworkflow.ui.shown import millis, node_of, now, phase_of, task_row
from mlworkflow.ui.standing import counts_below

PHASES = [str(phase) for phase in Phase]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which tasks: all at a `node`, or the parts of the task `below`, or all; of these phases, with this text in their name or message."""

    node: str = ""
    below: str = ""
    phases: frozenset[str] = frozenset()
    text: str = ""


def page(run: Run, drawing: Drawing, wanted: Wanted, offset: int, limit: int) -> TasksPage:
    text = wanted.text.lower()
    all_ = [task for task in _of(run, drawing, wanted) if not text or text in _text(task)]
    phases = Counter(str(phase_of(task)) for task in all_)
    unlisted = 0 if text else _unlisted(run, wanted)
    phases[Phase.SUCCEEDED] += unlisted
    fitting = [task for task in all_ if not wanted.phases or phase_of(task) in wanted.phases]
    if wanted.phases and Phase.SUCCEEDED not in wanted.phases:
        unlisted = 0
    rows = [task_row(run, task) for task in fitting[offset : offset + limit]]
    return TasksPage(
        rows=rows,
        next=str(offset + limit) if offset + limit < len(fitting) else "",
        total=len(fitting) + unlisted,
        phases={phase: count for phase, count in phases.items() if count},
        unlisted=unlisted,
    )


def in_order(run: Run) -> Iterator[Mapping[str, Any]]:
    """Every task, as the workflow is read: what a task is made of after it, by number."""
    for step in run.steps:
        yield step
        yield from _parts(run, step["name"])


def timeline(run: Run, tasks: Iterable[Mapping[str, Any]]) -> Timeline:
    """The tasks that run something themselves; those that began together in the order that they come in."""
    alone = [task for task in tasks if task.get("startedAt") and not run.is_composed(task["name"])]
    began = sorted(((millis(task["startedAt"]) or 0, task) for task in alone), key=itemgetter(0))
    zero = min([*(start for start, _ in began[:1]), *([millis(run.status["startedAt"]) or 0] if run.status.get("startedAt") else [])], default=0)  # fmt: skip
    places = [node_of(task["name"]) for _, task in began]
    names = list(dict.fromkeys(places))
    index = {name: number for number, name in enumerate(names)}
    ends = [millis(task.get("finishedAt")) for _, task in began]
    return Timeline(
        tasks=[task["name"] for _, task in began],
        nodes=[index[place] for place in places],
        node_names=names,
        phases=[PHASES.index(str(phase_of(task))) for _, task in began],
        phase_names=PHASES,
        started=[start - zero for start, _ in began],
        finished=[None if end is None else end - zero for end in ends],
        cached=[int(bool(task.get("cached"))) for _, task in began],
        zero=zero,
        now=now(),
    )


def _of(run: Run, drawing: Drawing, wanted: Wanted) -> Iterator[Mapping[str, Any]]:
    if wanted.below:
        yield from sorted(run.below(wanted.below), key=_number)
        return
    for task in in_order(run):
        if not wanted.node or (
            drawing.node(node_of(task["name"])) == wanted.node and not _is_whole(run, task["name"], wanted.node)
        ):
            yield task


def _is_whole(run: Run, task: str, node: str) -> bool:
    """Whether a task is the whole of what else is at its node."""
    return task == node and any(node_of(part["name"]) == node for part in run.below(task))


def _parts(run: Run, task: str) -> Iterator[Mapping[str, Any]]:
    for part in sorted(run.below(task), key=_number):
        yield part
        yield from _parts(run, part["name"])


def _number(task: Mapping[str, Any]) -> list[tuple[int, tuple[int, ...]]]:
    """Sorts the parts of one task: by their numbers, those of a group as they are listed."""
    return [(level.again, level.numbers) for level in paths.segments(task["name"])]


def _text(task: Mapping[str, Any]) -> str:
    return f"{task['name']} {task.get('reason', '')} {task.get('message', '')}".lower()


def _unlisted(run: Run, wanted: Wanted) -> int:
    """Tasks that have succeeded and that the status does not list any more, as far as they are counted."""
    name = wanted.below or wanted.node
    whole = [run.known[name]] if name in run.known else [] if name else [*run.known.values()]
    return sum(sum(counts_below(run, task).values()) - len(run.below(task["name"])) for task in whole)
