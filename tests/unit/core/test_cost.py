"""What a turn costs, counted in steps of the interpreter and in objects, not in seconds: as much for an event of thousands of steps as for one of
ten, and never more than it is now. Whoever makes it cheaper lowers the number.
"""

from __future__ import annotations

import gc
import itertools
import sys
import tracemalloc
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from mlworkflow.core.actions import Start
from mlworkflow.core.decide import decide
from mlworkflow.core.memory import Memory
from mlworkflow.core.observation import Attempt, AttemptId, Observations, Result, Seen
from mlworkflow.core.state import Phase, Run

from tests.builders import WorkflowBuilder, a_workflow


def chain(length: int) -> WorkflowBuilder:
    steps = a_workflow().step("s0")
    for number in range(1, length):
        steps = steps.step(f"s{number}", after=[f"s{number - 1}"])
    return steps


def fan(width: int) -> WorkflowBuilder:
    return a_workflow().step("s", forEach={"range": width})


def queue(width: int) -> WorkflowBuilder:
    """As `fan`, of which few run at once."""
    return a_workflow().having(parallelism=5).step("s", forEach={"range": width})


class Running:
    """A workflow under way whose attempts end one after the other, the first to start first."""

    def __init__(self, builder: WorkflowBuilder) -> None:
        self.plan, self.run, self.memory = builder.plan(), Run(), Memory()
        self.attempts: dict[AttemptId, Attempt] = {}
        self.results: dict[AttemptId, Result] = {}
        self.clock = itertools.count(1000.0)
        self.turn()

    def turn(self) -> None:
        decision = decide(self.plan, self.run, Observations(self.attempts, self.results), next(self.clock), self.memory)
        self.run = decision.run
        for action in decision.actions:
            if isinstance(action, Start):
                key = (action.order.task, action.order.attempt)
                self.attempts[key] = Attempt(*key, "pod", Seen.RUNNING, 1000.0, running_since=1000.0)
                self.memory.note(key)

    def end_one(self) -> None:
        key = next(iter(self.attempts))
        del self.attempts[key]
        self.results[key] = Result(exit_code=0, started_at=1000.0, finished_at=1001.0)
        self.memory.note(key)
        self.turn()


def under_way(builder: WorkflowBuilder) -> Running:
    """A workflow of which a few attempts have ended."""
    running = Running(builder)
    running.turn()  # what has just begun is looked at once
    for _ in range(3):
        running.end_one()
    return running


def instructions(work: Callable[[], object]) -> int:
    """How many the interpreter carries out."""
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def blocks(work: Callable[[], object]) -> int:
    """How many blocks of memory it leaves that were not there before, of whatever size."""
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        work()
        return len(tracemalloc.take_snapshot().traces)
    finally:
        tracemalloc.stop()
        gc.enable()


@pytest.mark.parametrize(
    ("shape", "most"), [(chain, 6500), (fan, 3300), (queue, 8900)], ids=lambda shape: getattr(shape, "__name__", "")
)
def test_an_event_costs_the_same_however_many_steps_there_are(
    shape: Callable[[int], WorkflowBuilder], most: int
) -> None:
    costs = {}
    for size in (10, 2000):
        running = under_way(shape(size))
        costs[size] = instructions(running.end_one)
        assert running.run.phase is Phase.RUNNING
    assert costs[2000] <= costs[10] * 1.05
    assert costs[10] <= most


@pytest.mark.parametrize(
    ("shape", "most"), [(chain, 80), (fan, 55), (queue, 80)], ids=lambda shape: getattr(shape, "__name__", "")
)
def test_an_event_leaves_as_many_objects_however_many_steps_there_are(
    shape: Callable[[int], WorkflowBuilder], most: int
) -> None:
    """Of the state, which nobody changes, a turn makes another: one table is copied, and none of what it holds."""
    left = {}
    for size in (10, 2000):
        running = under_way(shape(size))
        left[size] = max(blocks(running.end_one) for _ in range(3))
    assert left[2000] <= left[10] + 5
    assert left[10] <= most
