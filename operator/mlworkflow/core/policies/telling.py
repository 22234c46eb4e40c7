"""What a task that runs waits for, by the word of its attempt, is its message."""

from __future__ import annotations

from mlworkflow.core.turn import Turn


def tell_waits(turn: Turn) -> None:
    """While it waits, and no longer."""
    for node, task in turn.running():
        turn.say(node.task, turn.seen.waits.get((node.task, task.attempt), ""))
