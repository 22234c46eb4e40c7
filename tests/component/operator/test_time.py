"""Two clocks that disagree by an hour: nothing fires early, nothing is lost, and what is due by the engine's clock happens."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.builders import a_workflow

from .cluster import given, operating, pod_of

HOUR = 3600.0
BODY = {"image": "i", "command": ["c"], "agent": True}


class Skewed:
    """The engine's clock, that many seconds before the API server's."""

    def __init__(self, skew: float) -> None:
        self.skew = skew

    def __call__(self) -> float:
        return time.time() + self.skew


@pytest.mark.parametrize("skew", [-HOUR, HOUR], ids=["behind", "ahead"])
async def test_a_pod_is_given_its_time_to_start_by_one_clock(tmp_path: Path, skew: float) -> None:
    api = given(a_workflow().kind("a", "container", BODY, pendingTimeout="10m", timeout="30m"))
    clock = Skewed(skew)
    async with operating(api, tmp_path, clock) as operator:
        assert api.status()["steps"][0]["phase"] == "Running"
        operator.reconciler.wake("uid-1")
        await operator.settled()
        assert api.status()["steps"][0]["phase"] == "Running", "the server's stamps are an hour off"
    async with operating(api, tmp_path, clock) as operator:
        assert api.status()["steps"][0]["phase"] == "Running", "a restarted operator adopts it"
        clock.skew += 601
        operator.reconciler.wake("uid-1")
        await operator.settled()
        step = api.status()["steps"][0]
        assert (step["phase"], step["reason"]) == ("Failed", "PendingTimeout")


@pytest.mark.parametrize("skew", [-HOUR, HOUR], ids=["behind", "ahead"])
async def test_when_a_step_began_to_run_is_told_by_our_clock(tmp_path: Path, skew: float) -> None:
    api = given(a_workflow().kind("a", "container", BODY))
    clock = Skewed(skew)
    async with operating(api, tmp_path, clock) as operator:
        pod = pod_of(api, "a")
        assert operator.driver.attempts("uid-1")[("a", 0)].running_since is None
        running = {"name": "step", "state": {"running": {"startedAt": "2001-01-01T00:00:00Z"}}}
        await operator.end(pod, "Running", containerStatuses=[running])
        since = operator.driver.attempts("uid-1")[("a", 0)].running_since
        assert since is not None
        assert abs(since - clock()) < 60
        await operator.end(pod, "Running", containerStatuses=[running], podIP="10.0.0.1")
        assert operator.driver.attempts("uid-1")[("a", 0)].running_since == since
