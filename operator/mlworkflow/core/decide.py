"""What happens next: the one place where the meaning of a workflow lives.

`decide` is a function of what is wanted (workflow), what was (run), what is seen and the time. It has no clock, no
randomness and no I/O; two drivers (Pods, processes) gather its observations and carry out its actions. It reads from top to bottom: a
test asserts the order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mlworkflow.core.actions import Action
from mlworkflow.core.graph import Graph
from mlworkflow.core.model import Workflow
from mlworkflow.core.observation import Observations
from mlworkflow.core.policies.conclusion import conclude, stop_leftovers
from mlworkflow.core.policies.control import obey_cancel
from mlworkflow.core.policies.dependencies import skip_unreachable
from mlworkflow.core.policies.ends import accept_ends, accept_refusals
from mlworkflow.core.policies.results import accept_results, adopt_attempts
from mlworkflow.core.policies.starting import start_ready
from mlworkflow.core.policies.studies import run_studies
from mlworkflow.core.policies.timeouts import limit_pending, limit_steps, limit_workflow
from mlworkflow.core.state import Run
from mlworkflow.core.turn import Turn

POLICIES: tuple[Callable[[Turn], None], ...] = (
    accept_results,  # what was committed is true
    adopt_attempts,  # what exists is ours
    accept_refusals,  # what could not be created has failed
    accept_ends,  # what ended without a word is looked into
    obey_cancel,
    limit_workflow,
    limit_steps,
    limit_pending,
    skip_unreachable,  # before starting: its skips decide what is ready
    start_ready,
    run_studies,  # after starting: a study opened in this turn gets its first trials
    skip_unreachable,  # again: what turned out to be unable to start takes with it what waits for it
    stop_leftovers,  # last: everything above says what is still wanted
)


@dataclass(frozen=True, slots=True)
class Decision:
    """The new state, what to do about it, and when to look again if nothing happens (seconds since the epoch)."""

    run: Run
    actions: tuple[Action, ...]
    wake_at: float | None


def decide(workflow: Workflow, graph: Graph, run: Run, seen: Observations, now: float) -> Decision:
    """The next state and the actions that lead there. A finished run stays as it is; only what it left running is stopped."""
    turn = Turn(workflow, graph, run, seen, now, dict(run.tasks))
    if run.phase.is_finished:
        stop_leftovers(turn)
        return Decision(run, tuple(turn.actions), None)
    for policy in POLICIES:
        policy(turn)
    return Decision(conclude(turn), tuple(turn.actions), min(turn.wakes, default=None))
