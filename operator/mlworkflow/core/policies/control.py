"""What a person asks for: cancel."""

from __future__ import annotations

from mlworkflow.core.names import Reason
from mlworkflow.core.policies.timeouts import stop_steps
from mlworkflow.core.state import Phase
from mlworkflow.core.turn import Turn


def obey_cancel(turn: Turn) -> None:
    """`spec.cancel`: everything under way is stopped, the workflow ends as Cancelled."""
    if turn.workflow.cancel and turn.verdict is None:
        stop_steps(turn, turn.graph.main.order, Phase.CANCELLED, Reason.CANCELLED, "")
        turn.end(Phase.CANCELLED, Reason.CANCELLED, "cancelled by request")
