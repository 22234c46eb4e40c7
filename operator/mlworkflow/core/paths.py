"""The ids of tasks: where in a workflow each one stands, as text.

    train            a step
    sweep/3          item 3 of a step with `forEach`, or trial 3 of a tune step
    folds/1.prep     the step `prep` of the group that is item 1 of `folds`
    folds~2/1.prep   the same, when that group is tried for the third time

A *scope* is what the steps of one group share, named by the group's task and the attempt of it; the workflow's own steps are in the scope ``""``.
An id is unique for ever: a group that is tried again has other tasks, and a step that is tried again has other attempts.
"""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

ROOT = ""
_SEGMENT = re.compile(r"(?P<step>[^~/.]+)(~(?P<again>\d+))?(?P<numbers>(/\d+)*)")


class Segment(NamedTuple):
    """One level of an id: a step, how often its group was tried before, and the numbers of the item and of the trial."""

    step: str
    again: int
    numbers: tuple[int, ...]


@functools.lru_cache(maxsize=65536)
def segments(task: str) -> tuple[Segment, ...]:
    """The levels of an id, outermost first; nothing for what is no id."""
    found = [_SEGMENT.fullmatch(part) for part in task.split(".")]
    return tuple(
        Segment(part["step"], int(part["again"] or 0), tuple(map(int, part["numbers"].split("/")[1:])))
        for part in found
        if part
    )


def child(scope: str, step: str) -> str:
    """The task of a step in a scope."""
    return f"{scope}.{step}" if scope else step


def numbered(task: str, number: int) -> str:
    """The task of an item or a trial."""
    return f"{task}/{number}"


def scope_of(group: str, attempt: int) -> str:
    """The scope of a group's steps in one attempt of the group."""
    if attempt == 0:
        return group
    outer, dot, own = group.rpartition(".")
    step, slash, numbers = own.partition("/")
    return f"{outer}{dot}{step}~{attempt}{slash}{numbers}"


def enclosing(task: str) -> str:
    """The scope that a task's step is in."""
    return task.rpartition(".")[0]


def group_of(scope: str) -> str:
    """The task of the group whose scope this is."""
    outer, dot, own = scope.rpartition(".")
    return f"{outer}{dot}{re.sub(r'~[0-9]+', '', own)}"


def parent(task: str) -> str | None:
    """The task that a task is part of: the fan or study of an item or a trial, the group of a step in one."""
    outer, _, own = task.rpartition(".")
    if "/" in own:
        return task.rpartition("/")[0]
    return group_of(outer) if outer else None


def attempt_of(scope: str) -> int:
    """Which attempt of its group a scope belongs to."""
    return segments(scope)[-1].again if scope else 0


def is_below(task: str, ancestor: str) -> bool:
    """Whether a task is part of another, at any depth and in any attempt of it."""
    above = parent(task)
    while above is not None:
        if above == ancestor:
            return True
        above = parent(above)
    return False


def step_of(task: str) -> str:
    """The step of the workflow itself that a task belongs to."""
    return segments(task)[0].step
