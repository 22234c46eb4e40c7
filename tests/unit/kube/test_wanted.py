"""How long a status rests after it was written, by what it has cost; and that time passes within a callback, whichever loop runs it."""

from __future__ import annotations

import asyncio
import time

import pytest
import uvloop
from mlworkflow.kube.clock import LoopClock
from mlworkflow.kube.wanted import Wanted


@pytest.mark.parametrize(
    ("made", "written", "rest"),
    [
        pytest.param(0.0, 0.0, 0.1, id="cheap"),
        pytest.param(0.05, 0.0, 1.0, id="worked out in ten times what is cheap"),
        pytest.param(0.0, 0.07, 1.0, id="written in ten times what is quick"),
        pytest.param(0.0, 9.0, 2.0, id="a slow server does not silence it"),
        pytest.param(0.5, 0.07, 10.0, id="the dearer of both"),
    ],
)
def test_a_status_rests_by_what_it_has_cost(made: float, written: float, rest: float) -> None:
    wanted = Wanted(pause=0.1)
    wanted.put("ns/w", lambda status: {**status, "phase": "Running"})
    wanted.rest("ns/w", 50.0, made=made, written=written)
    assert wanted.due("ns/w") == pytest.approx(50.0 + rest)
    wanted.forget("ns/w")
    assert wanted.get("ns/w") is None
    assert wanted.due("ns/w") < 0


def test_nothing_that_was_never_written_rests() -> None:
    assert Wanted().due("ns/w") < 0


def test_time_passes_while_a_callback_runs() -> None:
    async def took() -> float:
        clock = LoopClock()
        began = clock.now()
        time.sleep(0.02)  # noqa: ASYNC251 – the work that a callback does
        return clock.now() - began

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(took()) >= 0.02
