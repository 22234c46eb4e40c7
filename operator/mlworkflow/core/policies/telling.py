"""What a task that runs waits for is its message: by the word of its attempt, or why that does not start."""

from __future__ import annotations

from mlworkflow.core.observation import Seen
from mlworkflow.core.turn import Turn

UNTOLD = 5.0
"""Seconds for which nothing is said of an attempt that does not start: most do, and a busy cluster always has some that wait for a node."""

TURN = "waits for its turn in the Pod that it shares"


def tell_waits(turn: Turn) -> None:
    """While it waits, and no longer."""
    for node, task in turn.running():
        known = (node.task, task.attempt)
        turn.say(node.task, turn.seen.waits.get(known) or _does_not_start(turn, known))


def _does_not_start(turn: Turn, known: tuple[str, int]) -> str:
    attempt = turn.seen.attempts.get(known)
    if attempt is None or attempt.seen is not Seen.WAITING or not attempt.reason:
        return (
            TURN
            if attempt and attempt.aboard and attempt.running_since and turn.task(known[0]).started_at is None
            else ""
        )
    since = attempt.created_at if attempt.waiting_since is None else attempt.waiting_since
    if turn.now < since + UNTOLD:
        turn.wake(since + UNTOLD, known[0])
        return ""
    return f"{attempt.reason}: {attempt.message}" if attempt.message else attempt.reason
