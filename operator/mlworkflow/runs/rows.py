"""What of a run is shown line by line, so that ten thousand tasks stay readable. Pure.

A step is a line; what it is made of is folded into a count, but for what has failed. Steps of `onExit` come last, after a line that says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mlworkflow.core import paths
from mlworkflow.core.model import EXITS
from mlworkflow.core.state import Phase
from mlworkflow.runs.approvals import waiting
from mlworkflow.runs.run import Run

MOST = 10
"""Failed tasks of a step that are shown."""
EXIT = "at the end:"


@dataclass(frozen=True, slots=True)
class Row:
    """A task, or (`task` is None) a remark. `count` tells of what a task is made of, where that is folded."""

    name: str
    task: Mapping[str, Any] | None = None
    count: str = ""
    depth: int = 0


def rows(run: Run, *, everything: bool = False) -> Iterator[Row]:
    """The lines of a run; with `everything` every task that its status has."""
    exits, is_first = exit_steps(run), True
    for step in run.steps:
        if step["name"] in exits and is_first:
            yield Row(EXIT)
            is_first = False
        if everything:
            yield from _unfolded(run, step, 0)
        else:
            yield from _folded(run, step)


def exit_steps(run: Run) -> set[str]:
    """The names of the steps for the end."""
    lists = (run.resource.get("spec") or {}).get("onExit") or {}
    return {str(step.get("name")) for when in EXITS for step in lists.get(when) or []}


def failed_below(run: Run, step: str) -> list[Mapping[str, Any]]:
    """What has failed itself of what a step is made of: not what failed because of it, and not what has been tried again since."""
    failed = [task for task in run.inside(step) if task.get("phase") == Phase.FAILED and _is_current(run, task["name"])]
    above = {paths.parent(task["name"]) for task in failed}
    return [task for task in failed if task["name"] not in above]


def remarks(run: Run, flags: str) -> Iterator[str]:
    """What a person has to do for the run to go on, with the command to type."""
    if run.phase is Phase.SUSPENDED:
        yield f"nothing new starts; go on: mlwf resume {run.id}{flags}"
    asked = waiting(run)
    for one in asked[:MOST]:
        needed = "".join(f" -p {name}=…" for name in one.needed)
        yield f"{one.task} {one.message or 'waits for approval'}"
        yield f"  mlwf approve {run.id} {one.task}{needed}{flags}"
    if len(asked) > MOST:
        yield f"and {len(asked) - MOST} more wait for approval"


def _folded(run: Run, step: Mapping[str, Any]) -> Iterator[Row]:
    failed = failed_below(run, step["name"]) if run.is_composed(step["name"]) else []
    yield Row(step["name"], step, _count(step, len(failed)))
    for task in failed[:MOST]:
        yield Row(task["name"], task, depth=1)
    if len(failed) > MOST:
        yield Row(f"and {len(failed) - MOST} more that failed", depth=1)


def _unfolded(run: Run, task: Mapping[str, Any], depth: int) -> Iterator[Row]:
    inner = run.below(task["name"])
    yield Row(task["name"], task, _count(task, sum(one.get("phase") == Phase.FAILED for one in inner)), depth)
    for one in inner:
        yield from _unfolded(run, one, depth + 1)


def _count(task: Mapping[str, Any], failed: int) -> str:
    """``7/10, 1 failed``; nothing for a task that runs by itself."""
    if not task.get("progress"):
        return ""
    return f"{task['progress']}{f', {failed} failed' if failed else ''}"


def _is_current(run: Run, task: str) -> bool:
    """Whether a task belongs to the present attempt of every group around it."""
    scope = paths.enclosing(task)
    while scope:
        group = run.known.get(paths.group_of(scope))
        if group is not None and paths.attempt_of(scope) != int(group.get("attempts") or 1) - 1:
            return False
        scope = paths.enclosing(scope)
    return True
