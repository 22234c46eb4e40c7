"""The engine: what it does in a turn, and what it does not do twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlworkflow.core.state import Phase
from mlworkflow.engine.creating import AT_ONCE, CREATE_AGAIN
from mlworkflow.engine.driver import NotNow, Refused
from mlworkflow.store.errors import StoreUnavailable

from tests.builders import WorkflowBuilder, a_workflow, artifact

from .world import Operator, World


def a_pair() -> WorkflowBuilder:
    return a_workflow().step("a", outputs="data").step("b", inputs="a.data")


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def operator(world: World, tmp_path: Path) -> Operator:
    return Operator(a_pair(), world, tmp_path)


async def test_what_cannot_be_created_now_is_created_later_and_is_no_loss(operator: Operator, world: World) -> None:
    world.refusals = [NotNow("exceeded quota: pods=1"), NotNow("exceeded quota: pods=1")]
    assert await operator.turn() == world.now + CREATE_AGAIN
    assert list(operator.live.creating) == [("a", 0)]
    await operator.turn(after=CREATE_AGAIN)
    assert "exceeded quota" in operator.written["message"]
    await operator.turn(after=CREATE_AGAIN)
    assert world.created == {("a", 0): 1}
    assert not operator.live.creating
    assert operator.is_("a", Phase.RUNNING)
    assert (operator.task("a").attempt, operator.task("a").losses, operator.task("a").failures) == (0, 0, 0)
    assert operator.written.get("message", "") == ""


async def test_while_many_are_being_created_what_has_ended_is_followed_up(tmp_path: Path, world: World) -> None:
    builder = a_workflow().step("first")
    for number in range(3 * AT_ONCE):
        builder = builder.step(f"other-{number}")
    operator = Operator(builder.step("second", after=["first"]), world, tmp_path)
    assert await operator.turn() == world.now, "the next ones are due at once"
    assert len(world.created) == AT_ONCE
    await operator.commit("first")
    assert await operator.turn() == world.now
    assert ("second", 0) in world.created
    assert len(world.created) == 2 * AT_ONCE
    await operator.turn()
    await operator.turn()
    assert world.created.total() == len(world.created) == 3 * AT_ONCE + 2
    assert not operator.live.creating


async def test_what_is_stopped_before_its_turn_has_come_is_not_created(tmp_path: Path, world: World) -> None:
    builder = a_workflow()
    for number in range(2 * AT_ONCE):
        builder = builder.step(f"s-{number}")
    operator = Operator(builder, world, tmp_path)
    await operator.turn()
    operator.live.plan = builder.having(cancel=True).plan()
    await operator.turn()
    assert len(world.created) == AT_ONCE
    assert not operator.live.creating


async def test_what_waits_to_be_created_for_too_long_fails_and_says_what_for(tmp_path: Path, world: World) -> None:
    operator = Operator(a_workflow().step("a", pendingTimeout="10s"), world, tmp_path)
    world.refusals = [NotNow("exceeded quota: pods=1")] * 20
    await operator.turn()
    await operator.turn(after=11)
    assert operator.task("a").phase is Phase.FAILED
    assert "exceeded quota" in operator.task("a").message
    assert world.created == {}
    assert not operator.live.creating, "nothing is created after the end"


async def test_what_is_refused_fails_its_step_in_the_words_of_who_refused(operator: Operator, world: World) -> None:
    world.refusals = [Refused("spec.containers[0].image: Required value")]
    await operator.turn()
    assert operator.is_("a", Phase.FAILED, "CreateRefused")
    assert operator.is_("b", Phase.SKIPPED, "DependencyFailed")
    assert "Required value" in operator.task("a").message
    assert operator.live.run.phase is Phase.FAILED, "in the same reconcile"
    assert world.created == {}


async def test_one_that_is_refused_does_not_hold_up_its_neighbours(tmp_path: Path, world: World) -> None:
    operator = Operator(a_workflow().step("a").step("b").step("c"), world, tmp_path)
    world.refusals = [Refused("no"), NotNow("not now")]
    await operator.turn()
    assert operator.is_("a", Phase.FAILED, "CreateRefused")
    assert world.created == {("b", 0): 1, ("c", 0): 1}, "a refusal brings another turn at once"


async def test_a_full_quota_is_asked_once_a_turn_and_used_as_soon_as_there_is_room(
    tmp_path: Path, world: World
) -> None:
    builder = a_workflow()
    for number in range(20):
        builder = builder.step(f"s{number}")
    operator = Operator(builder, world, tmp_path)
    world.refusals = [NotNow("exceeded quota: pods=1")] * 22
    calls = []
    for _ in range(4):
        before = operator.fuse.calls
        await operator.turn(after=CREATE_AGAIN)
        calls.append(operator.fuse.calls - before)
    assert calls == [20, 1, 1, 20]
    assert len(world.created) == 20


async def test_a_probe_that_finds_the_record_ends_the_step_well(operator: Operator, world: World) -> None:
    await operator.turn()
    await operator.commit("a", outputs={"data": artifact("data")})
    another = operator.again()
    world.vanished("a")
    await another.turn()
    assert another.is_("a", Phase.SUCCEEDED)
    assert world.found == [], "a record is enough"
    assert world.created == {("a", 0): 1, ("b", 0): 1}


async def test_a_record_that_came_after_the_start_is_found_by_a_probe(operator: Operator, world: World) -> None:
    await operator.turn()
    stranger = operator.again()  # the operator that is about to be replaced
    await stranger.turn()
    await stranger.commit("a", outputs={"data": artifact("data")})
    world.ended("a", exit_code=0)
    await operator.turn()
    assert operator.is_("a", Phase.SUCCEEDED)
    assert operator.is_("b", Phase.RUNNING)
    assert world.found == []


async def test_a_probe_that_finds_nothing_costs_a_new_attempt_and_no_retry(operator: Operator, world: World) -> None:
    await operator.turn()
    world.vanished("a")
    await operator.turn()
    assert world.found == [("a", 0)]
    assert world.created == {("a", 0): 1, ("a", 1): 1}
    assert (operator.task("a").losses, operator.task("a").failures, operator.task("a").attempt) == (1, 0, 1)


async def test_an_attempt_that_only_the_cache_has_lost_is_waited_for(operator: Operator, world: World) -> None:
    await operator.turn()
    world.hidden = {("a", 0)}
    wake_at = await operator.turn()
    assert wake_at is not None
    assert wake_at <= world.now + 2
    assert world.created == {("a", 0): 1}
    world.hidden = set()
    await operator.turn(after=2)
    assert (operator.task("a").attempt, operator.task("a").losses) == (0, 0)


async def test_a_container_that_could_not_speak_is_spoken_for_with_its_log(operator: Operator, world: World) -> None:
    await operator.turn()
    lines = b"".join(b"line %d\n" % number for number in range(30))
    world.logs[("a", 0)] = lines
    world.ended("a", exit_code=137, reason="OOMKilled", message="exit code 137")
    await operator.turn()
    record = operator.records()[("a", 0)]
    assert (record.exit_code, record.reason, record.step, record.attempt) == (137, "OOMKilled", "a", 0)
    assert record.message.startswith("exit code 137\nline 20\n")
    assert record.message.endswith("line 29")
    assert record.logs is not None
    assert record.logs.size == len(lines)
    digest = record.logs.digest.removeprefix("sha256:")
    assert operator.store.read_bytes(f"default/cas/sha256/{digest[:2]}/{digest[2:]}") == lines
    assert operator.is_("a", Phase.FAILED, "OOMKilled")


async def test_an_end_with_exit_code_0_and_no_record_is_a_loss(operator: Operator, world: World) -> None:
    await operator.turn()
    world.ended("a", exit_code=0)
    await operator.turn()
    assert operator.records() == {}, "nobody may speak of success but the step"
    assert (operator.task("a").attempt, operator.task("a").losses) == (1, 1)


async def test_an_evicted_attempt_is_not_spoken_for(operator: Operator, world: World) -> None:
    await operator.turn()
    world.ended("a", exit_code=137, reason="Evicted", lost=True)
    await operator.turn()
    assert operator.records() == {}
    assert (operator.task("a").attempt, operator.task("a").losses, operator.task("a").failures) == (1, 1, 0)


async def test_a_record_that_appears_while_we_speak_for_a_container_wins(operator: Operator, world: World) -> None:
    await operator.turn()
    world.ended("a", exit_code=1)
    stranger = operator.again()
    await stranger.open()
    stranger.live.is_settled = True
    stranger.live.run = operator.live.run

    class Late(type(operator.driver)):  # type: ignore[misc]
        async def log(self, *args: object) -> bytes:
            return b""

        async def find(self, *args: object) -> object:
            await stranger.commit("a", outputs={"data": artifact("data")})
            return await super().find(*args)

    operator.engine.driver = Late(world, operator.fuse)
    await operator.turn()
    assert operator.is_("a", Phase.SUCCEEDED)
    assert operator.records()[("a", 0)].exit_code == 0


async def test_what_the_engine_works_out_itself_is_committed_once(tmp_path: Path, world: World) -> None:
    operator = Operator(a_workflow().tune("t", {"x": [1, 2]}), world, tmp_path)
    await operator.turn()
    await operator.commit("t/0", parameters={"acc": 0.5}, outputs={"model": artifact("small")})
    await operator.commit("t/1", parameters={"acc": 0.9}, outputs={"model": artifact("big")})
    await operator.turn()
    assert operator.live.run.phase is Phase.SUCCEEDED
    first = operator.records()[("t", 0)]
    assert first.parameters["best"] == {"params": {"x": 2}, "value": 0.9, "trial": 1}
    assert first.outputs["model"] == artifact("big")
    assert first.outputs["trials"].size > 0
    another = operator.again()
    another.written = {}
    await another.turn(after=100)
    assert another.records()[("t", 0)] == first
    assert another.task("t") == operator.task("t"), "the same record tells the same end"
    assert sum(world.created.values()) == 2


async def test_while_the_store_is_away_nothing_starts_and_what_runs_goes_on(operator: Operator, world: World) -> None:
    await operator.turn()
    world.runs("a")
    await operator.commit("a", outputs={"data": artifact("data")})
    operator.engine.waiting = "waiting for the object store: nobody answers"
    await operator.turn()
    assert operator.is_("a", Phase.SUCCEEDED)
    assert world.created == {("a", 0): 1}
    assert operator.written["message"] == "waiting for the object store: nobody answers"
    operator.engine.waiting = ""
    await operator.turn()
    assert world.created == {("a", 0): 1, ("b", 0): 1}
    assert operator.written.get("message", "") == ""


async def test_a_store_that_does_not_answer_stops_a_probe_before_it_judges(operator: Operator, world: World) -> None:
    await operator.turn()
    world.vanished("a")
    operator.store.is_away = True
    with pytest.raises(StoreUnavailable):
        await operator.turn()
    assert (operator.task("a").losses, world.found) == (0, [])
    operator.store.is_away = False
    await operator.turn()
    assert operator.task("a").losses == 1


async def test_a_cancelled_workflow_stops_each_attempt_once(operator: Operator, world: World) -> None:
    await operator.turn()
    world.runs("a")
    operator.live.plan = operator.workflow.having(cancel=True).plan()
    for _ in range(3):
        await operator.turn()
    assert operator.live.run.phase is Phase.CANCELLED
    assert world.stopped == [("a", 0)]


async def test_a_restarted_operator_stops_what_it_no_longer_wants(operator: Operator, world: World) -> None:
    await operator.turn()
    world.runs("a")
    operator.written = {**operator.written, "phase": "Cancelled"}
    another = operator.again()
    another.written = {
        **another.written,
        "steps": [{**another.written["steps"][0], "phase": "Cancelled"}, another.written["steps"][1]],
    }
    await another.turn()
    assert world.stopped == [("a", 0)]


async def test_a_workflow_that_is_closed_wakes_those_who_wait_for_its_news(operator: Operator) -> None:
    await operator.turn()
    news = operator.live.changed
    operator.engine.close("uid-1")
    operator.engine.close("uid-1")
    assert news.is_set()
    assert operator.engine.live == {}
