"""What happens next: the one place where the meaning of a workflow lives.

`decide` is a function of what is wanted (plan), what was (run), what is seen and the time. It has no clock, no
randomness and no I/O; two drivers (Pods, processes) gather its observations and carry out its actions. It reads from top to bottom: a
test asserts the order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mlworkflow.core.actions import Action
from mlworkflow.core.memory import Memory
from mlworkflow.core.observation import Observations
from mlworkflow.core.plan import Plan
from mlworkflow.core.policies.advance import advance_steps
from mlworkflow.core.policies.conclusion import conclude, judge, stop_leftovers, stop_orphans
from mlworkflow.core.policies.control import obey_cancel
from mlworkflow.core.policies.ends import accept_ends, accept_refusals
from mlworkflow.core.policies.exits import advance_exit
from mlworkflow.core.policies.results import accept_results, adopt_attempts
from mlworkflow.core.policies.riding import take_turns
from mlworkflow.core.policies.starting import has_begun
from mlworkflow.core.policies.telling import tell_waits
from mlworkflow.core.policies.timeouts import limit_attempts, limit_exit, limit_pending, limit_steps, limit_workflow
from mlworkflow.core.state import Run, Task
from mlworkflow.core.turn import Turn

POLICIES: tuple[Callable[[Turn], None], ...] = (
    accept_results,  # what was committed is true
    adopt_attempts,  # what exists is ours
    accept_refusals,  # what could not be created has failed
    accept_ends,  # what ended without a word is looked into
    take_turns,  # what shares a Pod begins when those before it have ended
    tell_waits,  # what runs says what it waits for
    obey_cancel,
    limit_workflow,
    limit_exit,
    limit_steps,
    limit_attempts,
    limit_pending,
    advance_steps,  # what is ready starts, what never will be is skipped, what is composed is settled
    judge,  # the end is known
    advance_exit,
    stop_orphans,
    stop_leftovers,  # last: everything above says what is still wanted
)


@dataclass(frozen=True, slots=True)
class Usage:
    """What a workflow takes of what it shares with others: `pods` that run and `wanted` more had there been room, `held` how often it holds each
    lock, and the locks that it `waits_for`.
    """

    pods: int = 0
    wanted: int = 0
    held: Mapping[str, int] = field(default_factory=dict)
    waits_for: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Decision:
    """The new state, what to do about it, and when to look again if nothing happens (seconds since the epoch); of the tasks that `changed`, what they were."""

    run: Run
    actions: tuple[Action, ...]
    wake_at: float | None
    usage: Usage = Usage()
    changed: Mapping[str, Task] = field(default_factory=dict)


def decide(plan: Plan, run: Run, seen: Observations, now: float, memory: Memory | None = None) -> Decision:
    """The next state and the actions that lead there. A finished run stays as it is; only what it left running is stopped.

    With the `memory` of the turn before, which has been told of everything that is new in what is `seen`, only what that concerns is looked at.
    """
    memory = Memory() if memory is None else memory
    if run.phase.is_finished:
        memory.clear()
        turn = Turn(plan, run, seen, now, memory)
        stop_leftovers(turn)
        return Decision(run, tuple(turn.actions), None)
    turn = Turn(plan, run, seen, now, memory)
    for policy in POLICIES:
        policy(turn)
    after = conclude(turn)
    if turn.blocked and _has_any_ended(turn):
        turn.wake(now)  # what ended in this turn may be what others wait for
    if (due := memory.end(after)) is not None:
        turn.wake(due)
    return Decision(after, tuple(turn.actions), min(turn.wakes, default=None), _usage(turn, after), turn.changed)


def _usage(turn: Turn, after: Run) -> Usage:
    if after.phase.is_finished:
        return Usage()
    held = {name: count for name, count in turn.held.items() if count}
    if turn.workflow.locks and has_begun(turn):
        for lock in turn.workflow.locks:
            held[lock.name] = held.get(lock.name, 0) + 1
    return Usage(turn.pods, turn.wanted, held, frozenset(turn.locks))


def _has_any_ended(turn: Turn) -> bool:
    """Whether a task ended in this turn."""
    return any(turn.task(name).is_finished and not before.is_finished for name, before in turn.changed.items())
