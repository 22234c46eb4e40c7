"""Locks and room: what workflows leave for each other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlworkflow.core.errors import SpecError
from mlworkflow.core.observation import Room
from mlworkflow.core.sharing import Claim, share
from mlworkflow.core.state import Phase

from tests.builders import a_workflow
from tests.unit.core.play import Play


def test_a_lock_has_one_holder_and_its_end_lets_the_next_in() -> None:
    builder = a_workflow().step("a", locks=["gpu"]).step("b", locks=["gpu"]).step("c")
    play = Play(builder).turn()
    assert play.started == ["a", "c"]
    assert play.run.message == "step 'b' waits for the lock 'gpu'"
    assert play.decision.usage.held == {"gpu": 1}
    assert play.decision.usage.waits_for == {"gpu"}
    assert play.fails("a").turn().started == ["b"]


def test_each_cause_of_waiting_is_told_with_the_first_who_waits() -> None:
    locked = [{"locks": ["x"]}, {"locks": ["x"]}, {"locks": ["x"]}, {"locks": ["y"]}, {"locks": ["y"]}]
    builder = a_workflow()
    for name, fields in zip("abcde", locked, strict=True):
        builder = builder.step(name, **fields)
    message = "step 'b' waits for the lock 'x' (and 1 more tasks wait); step 'e' waits for the lock 'y'"
    assert Play(builder).turn().run.message == message


def test_a_semaphore_has_as_many_as_its_size() -> None:
    play = Play(a_workflow().step("s", forEach={"range": 5}, locks=[{"name": "db", "size": 2}])).turn()
    assert play.started == ["s/0", "s/1"]
    assert play.succeeds("s/0").succeeds("s/1").turn().started == ["s/2", "s/3"]


def test_what_others_hold_is_held() -> None:
    play = Play(a_workflow().step("a", locks=["gpu"]))
    play.room = Room(held={"gpu": 1})
    assert play.turn().started == []
    play.room = Room()
    assert play.turn().started == ["a"]


def test_nothing_is_given_out_before_it_is_known_who_holds_what() -> None:
    play = Play(a_workflow().step("a", locks=["gpu"]).step("b"))
    play.room = Room(is_known=False)
    assert play.turn().started == ["b"]


def test_a_lock_is_not_held_between_two_attempts() -> None:
    builder = a_workflow().step("a", locks=["gpu"], retry={"limit": 1, "backoff": "1m"}).step("b", locks=["gpu"])
    assert Play(builder).turn().fails("a").turn().started == ["b"]


def test_all_the_locks_of_a_step_or_none() -> None:
    builder = a_workflow().step("a", locks=["x"]).step("b", locks=["y", "x"]).step("c", locks=["y"])
    play = Play(builder).turn()
    assert play.started == ["a", "c"]
    assert play.succeeds("c").turn().started == []
    assert play.succeeds("a").turn().started == ["b"]


def test_a_group_holds_its_lock_while_its_steps_run() -> None:
    inner = a_workflow().step("x").step("y", after=["x"])
    builder = a_workflow().group("g", inner, locks=["gpu"]).group("h", inner, locks=["gpu"])
    play = Play(builder).turn()
    assert play.started == ["g.x"]
    play.succeeds("g.x").turn()
    assert play.started == ["g.y"]
    play.succeeds("g.y").turn().publishes().turn()
    assert play.started == ["h.x"]


def test_a_group_that_fails_without_a_pod_lets_the_next_in() -> None:
    broken = a_workflow().step("x", params={"p": "${{ 1 / 0 }}"})
    builder = a_workflow().group("h", a_workflow().step("y"), locks=["gpu"]).group("g", broken, locks=["gpu"])
    play = Play(builder.having()).turn()
    assert play.started == ["h.y"]
    play = Play(a_workflow().group("g", broken, locks=["gpu"]).step("b", locks=["gpu"])).turn()
    while play.wake_at == play.now and not play.started:
        play.turn()
    assert play.started == ["b"]


def test_a_workflow_holds_its_own_locks_from_its_first_step_to_its_end() -> None:
    builder = a_workflow().having(locks=["bench"]).step("a").step("b", after=["a"])
    play = Play(builder)
    play.room = Room(held={"bench": 1})
    assert play.turn().started == []
    assert play.decision.usage.held == {}
    play.room = Room()
    assert play.turn().started == ["a"]
    assert play.decision.usage.held == {"bench": 1}
    play.succeeds("a")
    play.room = Room(held={"bench": 1})  # whoever came too late: what has begun goes on
    assert play.turn().started == ["b"]
    assert play.succeeds("b").turn().decision.usage.held == {}


def test_pods_are_started_as_far_as_there_is_room() -> None:
    play = Play(a_workflow().step("s", forEach={"range": 5}))
    play.room = Room(pods=2)
    assert play.turn().started == ["s/0", "s/1"]
    assert (play.decision.usage.pods, play.decision.usage.wanted) == (2, 3)
    assert "waits for room" in play.run.message
    play.room = Room(pods=0)
    assert play.turn().started == []
    play.room = Room()
    assert play.turn().started == ["s/2", "s/3", "s/4"]


@pytest.mark.parametrize("lock", ["Bad_Name", {"name": "x", "size": 0}])
def test_mistakes_are_found(lock: object) -> None:
    with pytest.raises(SpecError):
        a_workflow().step("a", locks=[lock]).plan()


# ── sharing ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("free", "mine", "others", "given"),
    [
        (5, Claim("a", 0, 0, 0), [], 5),
        (0, Claim("a", 0, 0, 9), [], 0),
        (-3, Claim("a", 0, 0, 9), [], 0),
        (4, Claim("a", 0, 0, 9), [Claim("b", 0, 0, 9)], 2),
        (4, Claim("a", 0, 4, 9), [Claim("b", 0, 0, 9)], 0),
        (4, Claim("a", 0, 0, 9), [Claim("b", 0, 0, 1)], 3),
        (4, Claim("a", 1, 9, 9), [Claim("b", 0, 0, 9)], 4),
        (4, Claim("a", 0, 0, 9), [Claim("b", 5, 9, 3)], 1),
    ],
)
def test_who_gets_what(free: int, mine: Claim, others: list[Claim], given: int) -> None:
    assert share(free, mine, others) == given


_CLAIMS = st.lists(
    st.builds(Claim, st.uuids().map(str), st.integers(-1, 1), st.integers(0, 5), st.integers(1, 6)),
    min_size=1,
    max_size=6,
    unique_by=lambda claim: claim.uid,
)


@given(st.integers(0, 30), _CLAIMS)
def test_nothing_is_given_twice_and_nobody_with_less_waits_for_one_with_more(free: int, claims: list[Claim]) -> None:
    shares = {claim.uid: min(share(free, claim, claims), claim.wanted) for claim in claims}
    assert sum(shares.values()) <= free
    for claim in claims:
        for other in claims:
            if shares[claim.uid] < claim.wanted and other.priority == claim.priority and shares[other.uid]:
                assert other.pods + shares[other.uid] <= claim.pods + shares[claim.uid] + 1
            if shares[claim.uid] < claim.wanted and other.priority < claim.priority:
                assert shares[other.uid] == 0


def test_a_step_waits_and_its_phase_says_so() -> None:
    play = Play(a_workflow().step("a", locks=["x"]).step("b", locks=["x"])).turn()
    assert play.task("b").phase is Phase.PENDING
