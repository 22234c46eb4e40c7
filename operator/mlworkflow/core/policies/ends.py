"""Attempts that end without a word: probed once for a record, then counted as failed or as lost."""

from __future__ import annotations

from mlworkflow.core.actions import Probe
from mlworkflow.core.names import Reason
from mlworkflow.core.observation import Attempt, Seen
from mlworkflow.core.state import Phase
from mlworkflow.core.turn import Turn

LOOK_AGAIN = 2.0
"""Seconds until an attempt that exists, but that the driver's cache does not show, is looked up again."""


def accept_ends(turn: Turn) -> None:
    """A running task whose attempt ended or vanished, and that has no result."""
    for node, task in turn.running():
        name, key = node.task, (node.task, task.attempt)
        attempt = turn.seen.attempts.get(key)
        if attempt and attempt.seen is not Seen.ENDED:
            continue
        if key not in turn.seen.probed:
            turn.ask(Probe(name, task.attempt, task.handle))
        elif attempt:
            _judge(turn, name, attempt, turn.seen.probed[key].tail)
        elif turn.seen.probed[key].exists:
            turn.wake(turn.now + LOOK_AGAIN, name)
        else:
            turn.lose(name, Reason.POD_LOST, f"{task.handle or name} vanished, and left no result")


def _judge(turn: Turn, name: str, attempt: Attempt, tail: str) -> None:
    if attempt.lost:
        turn.lose(
            name, attempt.reason or Reason.POD_LOST, attempt.message or f"{attempt.handle} was ended from outside"
        )
    elif attempt.exit_code == 0:
        turn.lose(name, Reason.COMMIT_MISSING, f"{attempt.handle} ended with exit code 0, but its result never arrived")
    else:
        cause = attempt.message or (f"exit code {attempt.exit_code}" if attempt.exit_code is not None else "ended")
        turn.fail(name, attempt.reason or Reason.ERROR, f"{cause}\n{tail}".rstrip(), exit_code=attempt.exit_code)


def accept_refusals(turn: Turn) -> None:
    """An attempt that could not be created at all: the API's own words, and no second try."""
    for (name, number), message in turn.seen.refused.items():
        task = turn.task(name)
        if task.phase is Phase.RUNNING and task.attempt == number:
            turn.fail(name, Reason.CREATE_REFUSED, message, retriable=False)
