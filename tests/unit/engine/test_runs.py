"""The gateway's window on the engine: who may ask, what they are told, and when a commit counts."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from mlworkflow.core.observation import Seen
from mlworkflow.core.state import Phase
from mlworkflow.core.values import ArtifactRef
from mlworkflow.engine.driver import ContainerEnd
from mlworkflow.engine.runs import EngineRuns
from mlworkflow.gateway.errors import Forbidden, NotReady, Superseded
from mlworkflow.gateway.runs import Batch, Caller, Ended, Heard, Point, Waiting
from mlworkflow.store.errors import StoreUnavailable
from mlworkflow.store.records import read_log

from tests.builders import WorkflowBuilder, a_workflow, artifact

from .world import Operator, World, key


def a_pair() -> WorkflowBuilder:
    return a_workflow().step("a", outputs="data").step("b", inputs="a.data", params={"depth": "${{ 1 + 2 }}"})


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def operator(world: World, tmp_path: Path) -> Operator:
    return Operator(a_pair(), world, tmp_path)


DATA = {"data": artifact("data")}


async def test_a_commit_wakes_its_workflow_and_starts_what_waited_for_it(operator: Operator, world: World) -> None:
    await operator.turn()
    world.runs("a")
    await operator.commit("a", outputs=DATA)
    assert operator.woken == ["uid-1"]
    assert operator.records()[("a", 0)].outputs == DATA
    await operator.turn()
    assert world.created == {("a", 0): 1, ("b", 0): 1}, "before the Pod has ended"
    assert world.stopped == [], "what has committed leaves by itself"


async def test_a_commit_is_there_once(operator: Operator) -> None:
    await operator.turn()
    await operator.commit("a", outputs=DATA)
    with pytest.raises(Superseded):
        await operator.commit("a", exit_code=1)
    await operator.turn()
    with pytest.raises(Superseded):
        await operator.commit("a", outputs=DATA)
    assert operator.records()[("a", 0)].exit_code == 0


async def test_two_commits_at_once_leave_the_record_of_one(operator: Operator) -> None:
    await operator.turn()
    said = await asyncio.gather(
        operator.commit("a", outputs=DATA), operator.commit("a", exit_code=3), return_exceptions=True
    )
    assert all(answer is None or isinstance(answer, Superseded) for answer in said)
    await operator.turn()
    record = operator.records()[("a", 0)]
    assert operator.live.results[("a", 0)].exit_code == record.exit_code
    assert operator.task("a").phase is (Phase.SUCCEEDED if record.exit_code == 0 else Phase.FAILED)


async def test_an_attempt_that_has_been_replaced_cannot_commit(operator: Operator, world: World) -> None:
    await operator.turn()
    world.vanished("a")
    await operator.turn()
    with pytest.raises(Superseded):
        await operator.commit("a", 0, outputs=DATA)
    with pytest.raises(Superseded):
        operator.runs.task(key("a", 0))
    assert operator.records() == {}
    await operator.commit("a", 1, outputs=DATA)
    assert list(operator.records()) == [("a", 1)]


@pytest.mark.parametrize(("task", "attempt"), [("a", 1), ("b", 0), ("nothing", 0)], ids=["next", "pending", "unknown"])
async def test_what_is_not_under_way_cannot_commit(operator: Operator, task: str, attempt: int) -> None:
    await operator.turn()
    with pytest.raises(Superseded):
        await operator.commit(task, attempt)
    assert operator.records() == {}


async def test_a_commit_that_the_store_does_not_take_can_be_repeated(operator: Operator) -> None:
    await operator.turn()
    operator.store.is_away = True
    with pytest.raises(StoreUnavailable):
        await operator.commit("a", outputs=DATA)
    assert operator.woken == []
    assert operator.live.results == {}
    operator.store.is_away = False
    await operator.commit("a", outputs=DATA)
    assert operator.records()[("a", 0)].outputs == DATA


async def test_before_the_first_turn_everybody_is_asked_to_wait(operator: Operator, world: World) -> None:
    await operator.turn()
    another = operator.again()
    with pytest.raises(NotReady):
        another.runs.task(key("a"))
    await another.open()
    with pytest.raises(NotReady):
        another.runs.task(key("a"))
    with pytest.raises(NotReady):
        await another.runs.metrics(key("a"), Batch([]))
    with pytest.raises(NotReady):
        await another.commit("a", outputs=DATA)
    with pytest.raises(NotReady):
        await another.runs.container_ended(key("a"), 0.0)
    await another.turn()
    assert another.runs.task(key("a")).attempt == 0
    assert world.created == {("a", 0): 1}


async def test_a_pod_is_known_by_its_name_and_its_uid(operator: Operator, world: World) -> None:
    await operator.turn()
    caller = Caller(namespace="default", pod="pod-of-a-0", pod_uid="uid-of-pod-of-a-0")
    assert operator.runs.attempt_of(caller) == key("a")
    namesake = Caller(namespace="default", pod="pod-of-a-0", pod_uid="another")
    with pytest.raises(Forbidden):
        operator.runs.attempt_of(namesake)
    world.is_synced = False
    with pytest.raises(NotReady):
        operator.runs.attempt_of(namesake)


async def test_a_task_says_everything_that_the_agent_needs(operator: Operator) -> None:
    await operator.turn()
    await operator.commit("a", outputs=DATA)
    await operator.turn()
    task = operator.runs.task(key("b"))
    assert (task.step, task.task, task.attempt, task.kind) == ("b", "b", 0, "container")
    assert (task.params, task.inputs) == ({"depth": 3}, DATA)
    assert task.command == ("as", "the", "driver", "says", "run")
    another = operator.again()
    await another.turn()
    assert another.runs.task(key("b")) == task, "a restarted operator says the same"


async def test_who_asks_for_the_end_of_a_container_is_answered_when_it_comes(operator: Operator, world: World) -> None:
    await operator.turn()
    asked = asyncio.create_task(operator.runs.container_ended(key("a"), 30.0))
    await asyncio.sleep(0)
    await operator.turn()
    assert not asked.done()
    world.ends[("a", 0)] = ContainerEnd(3, "Error", "said the kubelet")
    await operator.turn()
    assert await asked == Ended(3, "Error")
    assert await operator.runs.container_ended(key("a"), 0.0) == Ended(3, "Error")


async def test_who_asks_in_vain_is_told_so_after_the_wait(operator: Operator) -> None:
    await operator.turn()
    assert await operator.runs.container_ended(key("a"), 0.01) is None


async def test_who_waits_for_an_attempt_that_is_replaced_is_told_so(operator: Operator, world: World) -> None:
    await operator.turn()
    asked = asyncio.create_task(operator.runs.container_ended(key("a"), 30.0))
    await asyncio.sleep(0)
    world.vanished("a")
    await operator.turn()
    with pytest.raises(Superseded):
        await asked


async def test_the_log_of_a_container_that_no_agent_started_goes_into_its_record(
    operator: Operator, world: World
) -> None:
    await operator.turn()
    world.logs[("a", 0)] = b"one\ntwo\n"
    world.ends[("a", 0)] = ContainerEnd(2, "Error", "termination message")
    await operator.commit("a", exit_code=2, reason="Error", message="exit code 2")
    record = operator.records()[("a", 0)]
    assert record.message == "exit code 2\ntermination message\none\ntwo"
    assert record.logs is not None
    assert record.logs.size == 8


async def test_the_log_of_an_agent_is_its_own_to_keep(world: World, tmp_path: Path) -> None:
    body = {"image": "i", "command": ["c"], "agent": True}
    operator = Operator(a_workflow().kind("a", "container", body), world, tmp_path)
    await operator.turn()
    world.logs[("a", 0)] = b"read by nobody"
    await operator.commit("a", logs=artifact("logs"))
    assert operator.records()[("a", 0)].logs == artifact("logs")


async def test_metrics_of_what_no_pruner_looks_at_are_heard_and_nothing_else(operator: Operator) -> None:
    await operator.turn()
    points = [Point("loss", 2.0), Point("loss", 1.0, 2), Point("nan", None)]
    assert await operator.runs.metrics(key("a"), Batch(points, first=7)) == Heard(again=True)  # to be looked at whole
    assert await operator.runs.metrics(key("a"), Batch(points, first=0)) == Heard()
    assert operator.runs.series(key("a")) == points
    assert operator.live.curves.shown == {}
    with pytest.raises(Superseded):
        await operator.runs.metrics(key("b"), Batch(points))


async def test_a_checkpoint_is_there_for_the_next_attempt_also_after_a_restart(
    operator: Operator, world: World
) -> None:
    await operator.turn()
    world.runs("a")
    first, second = (ArtifactRef(f"sha256:{digit * 64}", 1, "directory") for digit in "12")
    await operator.runs.checkpoint(key("a"), first)
    await operator.runs.checkpoint(key("a"), second)
    assert operator.runs.task(key("a")).checkpoint is None, "the attempt that saves it has it"
    world.vanished("a")
    await operator.turn()
    assert operator.runs.task(key("a", 1)).checkpoint == second
    another = operator.again()
    await another.turn()
    assert another.runs.task(key("a", 1)).checkpoint == second
    with pytest.raises(Superseded):
        await another.runs.checkpoint(key("a", 0), first)
    await another.commit("a", 1, outputs=DATA)
    await another.turn()
    assert another.runs.task(key("b")).checkpoint is None, "another task's"


async def test_a_checkpoint_that_the_store_does_not_take_is_not_promised(operator: Operator, world: World) -> None:
    await operator.turn()
    operator.store.is_away = True
    with pytest.raises(StoreUnavailable):
        await operator.runs.checkpoint(key("a"), artifact("checkpoint"))
    assert operator.live.checkpoints == {}


async def test_the_log_of_an_attempt_that_is_over_is_kept_beside_the_records(operator: Operator, world: World) -> None:
    await operator.turn()
    world.vanished("a")
    await operator.turn()
    await operator.runs.log(key("a", 0), artifact("log"))
    assert read_log(operator.store, key("a", 0)) == artifact("log")
    assert operator.records() == {}


async def test_an_attempt_that_was_told_to_end_saves_its_last_checkpoint_but_cannot_commit(
    world: World, tmp_path: Path
) -> None:
    step = a_workflow().step("a", attemptTimeout="10s", retry={"limit": 1, "backoff": "1s"})
    operator = Operator(step, world, tmp_path)
    await operator.turn()
    world.attempts[("a", 0)] = replace(world.attempts[("a", 0)], seen=Seen.RUNNING, running_since=world.now)
    await operator.turn(after=10)
    assert operator.is_("a", Phase.PENDING, "DeadlineExceeded")
    last = artifact("last", type_="directory")
    await operator.runs.checkpoint(key("a"), last)
    with pytest.raises(Superseded):
        await operator.commit("a")
    world.vanished("a")
    await operator.turn(after=1)
    assert operator.runs.task(key("a", 1)).checkpoint == last


async def test_who_is_told_to_end_commits_at_once_where_its_deletion_is_known(operator: Operator, world: World) -> None:
    await operator.turn()
    world.runs("a")
    world.attempts[("a", 0)] = replace(world.attempts[("a", 0)], leaving=True)
    await operator.commit("a", exit_code=143, reason="Terminated")
    await operator.turn()
    assert (operator.task("a").losses, operator.task("a").failures) == (1, 0)


async def test_who_is_told_to_end_for_a_limit_of_its_own_is_judged_by_that(operator: Operator, world: World) -> None:
    """It has not been told why, and neither have we yet."""
    await operator.turn()
    world.runs("a")
    committing = asyncio.create_task(operator.commit("a", exit_code=143, reason="Terminated"))
    await asyncio.sleep(0)
    assert operator.records() == {}
    world.ended("a", exit_code=143, reason="Evicted", message="volume over its limit")
    world.logs[("a", 0)] = b"filling"
    await operator.turn()
    with pytest.raises(Superseded):
        await committing
    assert operator.is_("a", Phase.FAILED, "Evicted")
    assert operator.records()[("a", 0)].message == "volume over its limit\nfilling"
    assert (operator.task("a").losses, operator.task("a").failures) == (0, 1)


async def test_who_is_told_to_end_commits_all_the_same_where_nobody_ever_says_why(
    operator: Operator, world: World
) -> None:
    await operator.turn()
    world.runs("a")
    operator.runs = EngineRuns(operator.engine, cause=0.05)
    await operator.commit("a", exit_code=143, reason="Terminated")
    assert operator.records()[("a", 0)].reason == "Terminated"


async def test_an_attempt_of_a_workflow_that_is_over_need_not_wait_for_anybody(
    operator: Operator, world: World
) -> None:
    """Its Pod was stopped and saves what it can: the sooner it hears that nobody waits, the sooner its node is free."""
    await operator.turn()
    world.runs("a")
    operator.engine.close("uid-1")
    with pytest.raises(Superseded):
        await operator.commit("a", exit_code=143, reason="Terminated")
    with pytest.raises(Superseded):
        await operator.runs.container_ended(key("a"), wait=5.0)
    await operator.turn()
    operator.runs.task(key("a"))  # it has been taken up again


def waits(words: str = "refused", since: float = 6.0) -> Waiting:
    return Waiting(noun="upload of 'data'", words=words, since=since, left=21606.0 - since)


def message(operator: Operator, name: str = "a") -> str:
    return next(str(step.get("message", "")) for step in operator.written["steps"] if step["name"] == name)


async def test_what_an_attempt_waits_for_is_its_step_s_message_until_it_goes_on(
    operator: Operator, world: World
) -> None:
    await operator.turn()
    world.runs("a")
    operator.runs.waiting(key("a"), waits())
    assert operator.woken == ["uid-1"]
    await operator.turn()
    assert message(operator).startswith("waiting for the store: upload of 'data': refused, since ")
    world.now += 60
    operator.runs.waiting(key("a"), waits(since=66.0))
    assert operator.woken == ["uid-1"], "no news"
    operator.runs.waiting(key("a"), None)
    assert operator.woken == ["uid-1", "uid-1"]
    await operator.turn()
    assert message(operator) == ""


async def test_a_message_of_waiting_ends_with_the_attempt(operator: Operator, world: World) -> None:
    await operator.turn()
    world.runs("a")
    operator.runs.waiting(key("a"), waits())
    await operator.turn()
    await operator.commit("a", outputs=DATA)
    wake_at = await operator.turn()
    assert (operator.is_("a", Phase.SUCCEEDED), message(operator)) == (True, "")
    with pytest.raises(Superseded):
        operator.runs.waiting(key("a"), waits())
    assert wake_at is None or wake_at > world.now + 300


async def test_an_attempt_that_waits_says_it_again_after_a_restart(operator: Operator, world: World) -> None:
    await operator.turn()
    world.runs("a")
    operator.runs.waiting(key("a"), waits())
    await operator.turn()
    again = operator.again()
    with pytest.raises(NotReady):
        again.runs.waiting(key("a"), waits())
    await again.turn()
    assert message(again) == ""
    again.runs.waiting(key("a"), waits())
    await again.turn()
    assert "refused" in message(again)


async def test_a_wait_of_which_nothing_more_is_heard_is_shown_no_more(operator: Operator, world: World) -> None:
    await operator.turn()
    world.runs("a")
    operator.runs.waiting(key("a"), waits())
    wake_at = await operator.turn()
    assert wake_at is not None
    assert wake_at < world.now + 310
    await operator.turn(after=wake_at - world.now)
    assert message(operator) == ""


async def test_a_hundred_steps_that_wait_change_the_status_once_a_minute(world: World, tmp_path: Path) -> None:
    steps = a_workflow()
    for number in range(100):
        steps = steps.step(f"s{number}")
    operator = Operator(steps, world, tmp_path)
    await operator.turn()
    for number in range(100):
        world.runs(f"s{number}")
    changes = 0
    for second in range(600):
        before, step = operator.written, f"s{second % 100}"
        operator.runs.waiting(key(step), waits(f"refused for the {second}th time"))
        await operator.turn(after=1.0)
        changes += operator.written != before
    assert changes == 10
