"""Start what is ready, as far as there is room for it; a back-off that is over counts as ready."""

from __future__ import annotations

from mlworkflow.core import orders
from mlworkflow.core.actions import Start
from mlworkflow.core.errors import ExpressionError
from mlworkflow.core.memory import work
from mlworkflow.core.names import Reason
from mlworkflow.core.nodes import Node
from mlworkflow.core.observation import Seen
from mlworkflow.core.state import Phase, Task
from mlworkflow.core.turn import Turn

PATIENCE = 30.0
"""Seconds beyond its grace period that an attempt on its way out is waited for."""


def start(turn: Turn, node: Node) -> bool:
    """Start a task's next attempt unless it must wait. Whether it was started."""
    task = turn.task(node.task)
    if turn.now < task.not_before:
        turn.wake(task.not_before, node.task)
        return False
    if _is_leaving(turn, node, task):
        return False
    if turn.is_halted:
        return False
    attempt = task.attempt + 1
    if not node.is_unit:
        if not _has_locks(turn, node):
            return False
        turn.start(node.task, attempt)
        return True
    if not (turn.has_room() and _has_locks(turn, node)):
        return False
    try:
        order = orders.order(turn.view, node, attempt)
    except ExpressionError as error:
        turn.finish(node.task, Phase.FAILED, Reason.EXPRESSION_ERROR, str(error))
        return False
    except KeyError as missing:
        turn.finish(node.task, Phase.FAILED, Reason.ARTIFACT_MISSING, f"there is no {missing}")
        return False
    if order.is_looked_up and not _is_first(turn, node, order.fingerprint):
        return False
    turn.start(node.task, attempt, fingerprint=order.fingerprint)
    turn.starts += 1
    turn.wake(turn.now + node.step.pending_timeout, node.task)
    turn.ask(Start(order))
    return True


def _is_leaving(turn: Turn, node: Node, task: Task) -> bool:
    """Whether the attempt before is still on its way out: two attempts of a task should not run at once. A lost node's Pods never end."""
    attempt = turn.seen.attempts.get((node.task, task.attempt))
    if attempt is None or attempt.seen is Seen.ENDED or (node.task, task.attempt) in turn.seen.results:
        return False
    patience = task.not_before + node.step.grace + PATIENCE
    if turn.now >= patience:
        return False
    turn.wake(patience, node.task)
    return True


def _has_locks(turn: Turn, node: Node) -> bool:
    """Whether a task may hold its locks, and the workflow its own."""
    wanted = [*node.locks]
    if turn.workflow.locks and not has_begun(turn):
        wanted += turn.workflow.locks
    for lock in wanted:
        if not turn.seen.room.is_known or _holders(turn, lock.name) >= lock.size:
            turn.locks.add(lock.name)
            turn.block(node, f"the lock '{lock.name}'")
            return False
    return True


def _is_first(turn: Turn, node: Node, fingerprint: str) -> bool:
    """Whether nobody does the same work at the moment, whose result could be taken; once somebody has done it, nobody waits any more."""
    name = work(fingerprint)
    if not turn.seen.room.is_known or (_holders(turn, name) and fingerprint not in turn.memory.done):
        turn.locks.add(name)
        turn.block(node, "the result of a step that does the same work at the moment")
        return False
    return True


def _holders(turn: Turn, lock: str) -> int:
    return turn.seen.room.held.get(lock, 0) + turn.held.get(lock, 0)


def has_begun(turn: Turn) -> bool:
    """Whether a workflow has started anything since it began (again), and so holds its own locks until it ends."""
    began = turn.now if turn.run.started_at is None else turn.run.started_at
    return any(
        task.phase is Phase.RUNNING or (task.started_at is not None and task.started_at >= began)
        for task in turn.tasks.values()
    )
