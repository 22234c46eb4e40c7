"""Pods that a member does not know."""

from __future__ import annotations

from mlworkflow.kube.members import strangers
from mlworkflow.kube.members.strangers import MOST, PATIENCE, Strangers


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_pod_that_is_not_known_may_be_ours_for_a_while() -> None:
    clock = Clock()
    pods = Strangers(lambda: False, clock)
    assert pods.may_be_ours("a")
    clock.now += PATIENCE - 1
    assert pods.may_be_ours("a")
    assert pods.may_be_ours("b")
    clock.now += 1
    assert not pods.may_be_ours("a")
    assert pods.may_be_ours("b"), "each has its own time"


def test_who_has_lapsed_can_say_of_no_pod_that_it_is_not_ours() -> None:
    clock, fenced = Clock(), [True]
    pods = Strangers(lambda: fenced[0], clock)
    pods.may_be_ours("a")
    clock.now += 10 * PATIENCE
    assert pods.may_be_ours("a")
    fenced[0] = False
    assert not pods.may_be_ours("a")


def test_no_more_than_so_many_are_remembered() -> None:
    clock = Clock()
    pods = Strangers(lambda: False, clock)
    for number in range(MOST + 10):
        pods.may_be_ours(f"pod-{number}")
    assert len(pods._since) == strangers.MOST
