"""Committed results are the truth: they end a task whatever else is seen, and are replayed in order after a restart."""

from __future__ import annotations

from mlworkflow.core.names import Reason
from mlworkflow.core.state import Phase
from mlworkflow.core.turn import Turn


def accept_results(turn: Turn) -> None:
    """Success of any attempt ends its task, and so does that a trial was pruned; failure counts for the current attempt, or for one that the state has not heard of."""
    for (name, number), result in turn.results():
        task, node = turn.task(name), turn.nodes.get(name)
        if number < task.since or node is None:
            continue
        if result.is_success:
            if not task.is_finished or (task.phase is Phase.SUCCEEDED and task.artifacts is not result.outputs):
                turn.succeed(name, number, result)
        elif result.reason == Reason.PRUNED and node.trial is not None:
            if not task.is_finished:
                turn.prune(name, number, result)
        elif not task.is_finished and (
            number > task.attempt or (number == task.attempt and task.phase is Phase.RUNNING)
        ):
            turn.start(name, number, at=result.started_at or None)
            turn.keep(name, result)
            if result.reason == Reason.TERMINATED:
                # Had we asked for it, the task would not be running: an eviction, a drain, a deletion.
                turn.lose(name, Reason.TERMINATED, result.message)
            else:
                turn.fail(name, result.reason or Reason.ERROR, result.message, exit_code=result.exit_code)


def adopt_attempts(turn: Turn) -> None:
    """An attempt that exists belongs to its task, whether or not the state knew: this is how a restarted operator finds its Pods.

    It says itself what the attempts before it cost, which whoever started it may have died before writing down.
    """
    for (name, number), attempt in turn.attempts():
        task = turn.task(name)
        if (
            not task.is_finished
            and number > task.attempt
            and number >= task.since
            and (node := turn.nodes.get(name))
            and node.is_unit
        ):
            turn.adopt(name, attempt)
        elif task.phase is Phase.RUNNING and number == task.attempt:
            if attempt.fingerprint and not task.fingerprint:
                turn.note_fingerprint(name, attempt.fingerprint)
            if attempt.aboard and attempt.handle != task.handle:  # it is another's Pod
                turn.note_handle(name, attempt.handle)
