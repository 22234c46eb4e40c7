"""Trials that share a Pod run one after another: the time of each begins with its turn, not with the Pod's."""

from __future__ import annotations

from mlworkflow.core.state import Phase
from mlworkflow.core.turn import Turn


def take_turns(turn: Turn) -> None:
    """A trial begins when it has its Pod to itself: those before it have committed, or are not wanted any more."""
    if not turn.plan.has_riders:
        return
    seen = dict.fromkeys(other for key, attempt in turn.touched_attempts() for other in attempt.aboard or (key,))
    for name, number in seen:
        task, node = turn.task(name), turn.nodes.get(name)
        if node is None or not node.may_share or task.phase is not Phase.RUNNING or task.attempt != number:
            continue
        if task.started_at is None and turn.is_its_turn((name, number)):
            turn.begin(name)
