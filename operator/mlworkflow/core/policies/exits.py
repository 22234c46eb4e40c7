"""The steps for the end (`onExit`): they run once the workflow's end is certain and what was stopped has had its time to end."""

from __future__ import annotations

from mlworkflow.core import paths
from mlworkflow.core.names import Reason
from mlworkflow.core.observation import Seen
from mlworkflow.core.policies.advance import advance
from mlworkflow.core.policies.starting import PATIENCE
from mlworkflow.core.state import Phase
from mlworkflow.core.turn import Turn


def advance_exit(turn: Turn) -> None:
    """Start those that the end concerns, skip the others."""
    if turn.verdict is None or not turn.graph.exit.order or _wait_for_ends(turn):
        return
    for name, when in turn.workflow.exit_lists.items():
        is_success = turn.verdict.phase is Phase.SUCCEEDED
        concerned = when == "always" or is_success == (when == "succeeded")
        if not concerned and turn.task(name).phase is Phase.PENDING and turn.task(name).started_at is None:
            message = f"for a workflow that has {'failed' if is_success else 'succeeded'}"
            turn.finish(name, Phase.SKIPPED, Reason.NOT_CONCERNED, message)
    advance(turn, turn.graph.exit, paths.ROOT)


def _wait_for_ends(turn: Turn) -> bool:
    """Whether attempts of the workflow's own steps are still on their way out."""
    assert turn.verdict is not None
    waits = False
    for key, attempt in turn.seen.attempts.items():
        node = turn.nodes.get(attempt.task)
        if node is None or paths.step_of(node.task) not in turn.workflow.steps:
            continue
        if attempt.seen is Seen.ENDED or key in turn.seen.results:
            continue
        patience = turn.verdict.at + node.step.grace + PATIENCE
        if turn.now < patience:
            turn.wake(patience)
            waits = True
    return waits
