"""Kubernetes Events of workflows: which, how many, and that nobody waits for them. Real client and sender; the API server is a stand-in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from mlworkflow.core.plan import Plan
from mlworkflow.core.state import Phase, Run, Task
from mlworkflow.engine.telling import Turned
from mlworkflow.kube.client import KubeClient
from mlworkflow.kube.events import AT_ONCE, EVERY, EventSender

from tests.builders import a_workflow
from tests.component.kube.fake_api import until

from .cluster import QUICK, ApiServer, Json, refused

WIDE = 40


@dataclass
class Told:
    """A workflow of many steps, and the turns that a test has it take."""

    api: ApiServer
    sender: EventSender
    now: list[float]
    run: Run = field(default_factory=Run)
    pauses: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        builder = a_workflow("w").meta(uid="uid-of-w")
        for number in range(WIDE):
            builder = builder.step(f"s{number}")
        self.plan = Plan.of(builder.resource())

    def turn(self, phase: Phase = Phase.RUNNING, message: str = "", **tasks: Task) -> None:
        after = Run(phase=phase, message=message, started_at=1.0, tasks={**self.run.tasks, **tasks})
        self.sender.tell(Turned.between(self.plan, self.run, after))
        self.run = after

    @property
    def events(self) -> list[Json]:
        return list(self.api.objects["events"].values())

    @property
    def brief(self) -> list[str]:
        return [f"{event['reason']} x{event['count']}" for event in self.events]


@asynccontextmanager
async def telling(api: ApiServer, room: int = 1000) -> AsyncIterator[Told]:
    now = [100.0]

    async def sleep(seconds: float) -> None:
        now[0] += seconds if seconds > 1 else 0.0
        await asyncio.sleep(0)

    async with api.served() as config, KubeClient(config, backoff=QUICK) as client:
        sender = EventSender(client, lambda: now[0], room=room, sleep=sleep)
        try:
            yield Told(api, sender, now)
        finally:
            await sender.close()


def failed(number: int) -> Task:
    return Task(phase=Phase.FAILED, attempt=0, failures=1, reason="Error", message=f"exit code {number}")


async def test_an_event_is_as_kubectl_describes_it() -> None:
    async with telling(ApiServer()) as told:
        told.turn()
        told.turn(s0=failed(3))
        await until(lambda: len(told.events) == 2)
        event = told.events[1]
        assert event["metadata"]["namespace"] == event["involvedObject"]["namespace"] == "default"
        assert event["involvedObject"]["uid"] == "uid-of-w"
        assert (event["type"], event["reason"]) == ("Warning", "StepFailed")
        assert event["message"] == "s0: Error: exit code 3"
        assert event["source"] == {"component": "mlworkflow"}
        assert event["firstTimestamp"] == "1970-01-01T00:01:40.000Z"


async def test_forty_failures_are_a_few_events_with_a_count_and_none_is_left_out() -> None:
    async with telling(ApiServer()) as told:
        told.turn()
        for number in range(WIDE):
            told.turn(**{f"s{number}": failed(number)})
        told.turn(Phase.FAILED, "step 's0' failed")
        await until(lambda: told.events and told.events[-1]["reason"] == "Failed")
        assert len(told.events) <= AT_ONCE + 2
        assert sum(event["count"] for event in told.events if event["reason"] == "StepFailed") == WIDE


async def test_what_had_to_wait_is_told_within_a_minute() -> None:
    async with telling(ApiServer()) as told:
        told.turn()
        for number in range(WIDE):
            told.turn(**{f"s{number}": failed(number)})
        await until(lambda: sum(event["count"] for event in told.events) == WIDE + 1)
        assert told.now[0] <= 100.0 + EVERY + 10


async def test_what_is_told_twice_is_one_event() -> None:
    api = ApiServer()
    for life in (1, 2):  # an operator, and the one after it
        async with telling(api) as told:
            told.turn()
            told.turn(Phase.SUCCEEDED)
            await until(lambda life=life: api.calls["create events"] >= 2 * life)
    assert told.brief == ["Started x1", "Succeeded x1"]


async def test_an_api_server_that_takes_no_events_is_complained_of_once(caplog: pytest.LogCaptureFixture) -> None:
    api = ApiServer()
    api.on("create events", *[refused(403, "Forbidden")] * 3)
    async with telling(api) as told:
        told.turn()
        told.turn(s0=failed(1))
        told.turn(s1=failed(1))
        told.turn(s2=failed(1))
        await until(lambda: told.brief == ["StepFailed x1"])
    assert caplog.text.count("events cannot be written") == 1


async def test_more_than_there_is_room_for_is_dropped_and_said(caplog: pytest.LogCaptureFixture) -> None:
    async with telling(ApiServer(), room=2) as told:
        told.turn()
        for number in range(4):
            told.turn(**{f"s{number}": failed(number)})
        await until(lambda: len(told.events) == 2)
    assert "default/w: an event is dropped" in caplog.text


async def test_who_suspends_and_resumes_sees_it_and_consequences_are_no_news() -> None:
    async with telling(ApiServer()) as told:
        told.turn()
        told.turn(Phase.SUSPENDED)
        told.turn(Phase.RUNNING)
        skipped = Task(phase=Phase.FAILED, reason="DependencyFailed", message="step 's0' failed")
        told.turn(s0=failed(1), s1=skipped, s2=Task(phase=Phase.PENDING, attempt=0, losses=1, reason="Evicted"))
        gate = Task(phase=Phase.FAILED, reason="GateFailed", message="accuracy 0.8 is below 0.9")
        told.turn(s3=gate, s4=Task(phase=Phase.SUCCEEDED, attempt=0))
        told.turn(Phase.CANCELLED, "cancelled by request")
        await until(lambda: told.events and told.events[-1]["reason"] == "Cancelled")
        reasons = ["Started", "Suspended", "Resumed", "StepFailed", "StepLost", "GateFailed", "Cancelled"]
        assert [event["reason"] for event in told.events] == reasons
