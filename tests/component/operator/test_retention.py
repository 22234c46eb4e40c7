"""What happens after the end: workflows deleted when their time is over, Pods deleted once nothing of them is needed."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from mlworkflow.kube.cleanup import AT_ONCE

from tests.builders import WorkflowBuilder, a_workflow
from tests.component.kube.fake_api import until

from .cluster import ApiServer, Operator, given, operating, pod_of, refused

BODY = {"image": "i", "command": ["c"], "agent": True}


class Later:
    """The engine's clock, which a test moves."""

    def __init__(self) -> None:
        self.by = 0.0

    def __call__(self) -> float:
        return time.time() + self.by


def a_chain(length: int = 1, **spec: Any) -> WorkflowBuilder:
    builder = a_workflow().having(**spec)
    for number in range(length):
        builder = builder.kind(f"s{number}", "container", BODY, after=[f"s{number - 1}"] if number else [])
    return builder


async def fails(api: ApiServer, operator: Operator, step: str) -> None:
    pod = pod_of(api, step)
    await operator.commit(pod, exit_code=3)
    await operator.settled()
    await operator.end(pod, "Failed")


# ── ttl ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_workflow_is_deleted_when_its_time_is_over_and_not_before(tmp_path: Path) -> None:
    api, clock = given(a_chain(ttl={"succeeded": "1h", "failed": "7d"})), Later()
    async with operating(api, tmp_path, clock) as operator:
        await operator.work(pod_of(api, "s0"))
        assert api.status()["phase"] == "Succeeded"
        state = operator.queue.statistics()
        assert (state.depth, state.waiting) == (0, 1), "one wake-up is due, and nothing until then"
        clock.by += 3590
        operator.reconciler.wake("uid-1")
        await operator.settled()
        assert api.calls["delete mlworkflows"] == 0
        clock.by += 20
        operator.reconciler.wake("uid-1")
        await operator.settled()
        assert api.deletions == [("w", {"preconditions": {"uid": "uid-1"}, "propagationPolicy": "Background"})]
        assert api.objects["mlworkflows"] == {}
        assert api.calls["patch mlworkflows/status"] == 2


async def test_it_is_woken_by_itself(tmp_path: Path) -> None:
    api = given(a_chain(ttl="50ms"))
    async with operating(api, tmp_path) as operator:
        await operator.work(pod_of(api, "s0"))
        await until(lambda: not api.objects["mlworkflows"])
        assert api.calls["delete mlworkflows"] == 1


async def test_a_restarted_operator_keeps_the_date(tmp_path: Path) -> None:
    api, clock = given(a_chain(ttl={"failed": "1h"})), Later()
    async with operating(api, tmp_path, clock) as operator:
        await fails(api, operator, "s0")
        assert api.status()["phase"] == "Failed"
    clock.by += 1800
    async with operating(api, tmp_path, clock):
        assert api.calls["delete mlworkflows"] == 0
    clock.by += 1801
    async with operating(api, tmp_path, clock) as operator:
        await operator.settled()
        assert api.calls["delete mlworkflows"] == 1
        assert api.objects["mlworkflows"] == {}


async def test_a_spec_that_is_not_sound_has_an_end_too(tmp_path: Path) -> None:
    builder = a_workflow().having(ttl="1h").kind("a", "container", BODY, after=["nowhere"])
    api, clock = given(builder), Later()
    async with operating(api, tmp_path, clock) as operator:
        assert api.status()["phase"] == "Failed"
        clock.by += 3601
        operator.reconciler.wake("uid-1")
        await operator.settled()
        assert api.objects["mlworkflows"] == {}


async def test_a_server_that_is_away_is_asked_again(tmp_path: Path) -> None:
    api, clock = given(a_chain(ttl="1h")), Later()
    async with operating(api, tmp_path, clock) as operator:
        await operator.work(pod_of(api, "s0"))
        clock.by += 3601
        api.on("delete mlworkflows", *[refused(503, "ServiceUnavailable")] * 3)
        operator.reconciler.wake("uid-1")
        await until(lambda: not api.objects["mlworkflows"])


async def test_another_workflow_of_that_name_is_left_alone(tmp_path: Path) -> None:
    api, clock = given(a_chain(ttl="1h")), Later()
    async with operating(api, tmp_path, clock) as operator:
        await operator.work(pod_of(api, "s0"))
        clock.by += 3601
        api.objects["mlworkflows"]["w"] = {**api.workflow(), "metadata": {**api.workflow()["metadata"], "uid": "new"}}
        operator.reconciler.wake("uid-1")
        await operator.settled()
        assert api.workflow()["metadata"]["uid"] == "new"


async def test_a_longer_ttl_counts_from_when_it_is_written(tmp_path: Path) -> None:
    api, clock = given(a_chain(ttl="1h")), Later()
    async with operating(api, tmp_path, clock) as operator:
        await operator.work(pod_of(api, "s0"))
        api.edit(ttl="3h")
        await operator.settled()
        clock.by += 2 * 3600
        operator.reconciler.wake("uid-1")
        await operator.settled()
        assert api.calls["delete mlworkflows"] == 0


# ── podCleanup ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("cleanup", "after_first", "after_last"),
    [
        ("Never", 0, 0),
        ("StepSucceeded", 1, 2),
        ("StepEnded", 1, 2),
        ("WorkflowSucceeded", 0, 2),
        ("WorkflowEnded", 0, 2),
    ],
)
async def test_pods_go_when_they_are_to_each_once(
    tmp_path: Path, cleanup: str, after_first: int, after_last: int
) -> None:
    api = given(a_chain(2, podCleanup=cleanup))
    async with operating(api, tmp_path) as operator:
        await operator.work(pod_of(api, "s0"))
        assert api.calls["delete pods"] == after_first
        await operator.work(pod_of(api, "s1"))
        assert (api.status()["phase"], api.status()["progress"]) == ("Succeeded", "2/2")
        await operator.settled()
        assert (api.calls["delete pods"], len(api.pods)) == (after_last, 2 - after_last)
        assert [step["attempts"] for step in api.status()["steps"]] == [1, 1]
        assert operator.engine.live == {}


@pytest.mark.parametrize(
    ("cleanup", "deleted"),
    [("StepSucceeded", 0), ("StepEnded", 1), ("WorkflowSucceeded", 0), ("WorkflowEnded", 1)],
)
async def test_what_failed_is_kept_where_only_success_is_tidied(tmp_path: Path, cleanup: str, deleted: int) -> None:
    api = given(a_chain(podCleanup=cleanup))
    async with operating(api, tmp_path) as operator:
        await fails(api, operator, "s0")
        await operator.settled()
        assert api.status()["phase"] == "Failed"
        assert api.calls["delete pods"] == deleted


async def test_a_failed_attempt_keeps_its_pod_until_its_step_has_ended(tmp_path: Path) -> None:
    api = given(
        a_workflow()
        .having(podCleanup="StepEnded")
        .kind("s0", "container", BODY, retry={"limit": 1, "backoff": "10ms", "cap": "10ms"})
    )
    async with operating(api, tmp_path) as operator:
        first = pod_of(api, "s0")
        await fails(api, operator, "s0")
        await until(lambda: len(api.pods) == 2)
        assert api.calls["delete pods"] == 0
        (second,) = set(api.pods) - {first}
        await operator.work(second)
        await operator.settled()
        assert (api.status()["phase"], api.pods) == ("Succeeded", {})
        assert api.calls["delete pods"] == 2


async def test_a_crash_is_cleaned_up_once_its_log_is_kept(tmp_path: Path) -> None:
    api = given(a_chain(podCleanup="StepEnded"))
    async with operating(api, tmp_path) as operator:
        ended = {"name": "step", "state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}
        await operator.end(pod_of(api, "s0"), "Failed", containerStatuses=[ended])
        await operator.settled()
        assert api.calls["get pods/log"] == 1
        assert (api.calls["delete pods"], api.pods) == (1, {})
        assert "the last words" in api.status()["steps"][0]["message"]


async def test_a_pod_whose_log_nobody_has_stays(tmp_path: Path) -> None:
    api = given(a_chain(podCleanup="StepEnded"))
    async with operating(api, tmp_path) as operator:
        first = pod_of(api, "s0")
        await operator.end(first, "Succeeded")  # without a word to the gateway
        await operator.settled()
        (second,) = set(api.pods) - {first}
        await operator.work(second)
        await operator.settled()
        assert (api.status()["phase"], list(api.pods)) == ("Succeeded", [first])
        before = dict(api.writes)
        operator.reconciler.wake("uid-1")
        await operator.settled()
        assert api.writes == before, "and is not looked into again"


async def test_a_restarted_operator_tidies_up_after_a_workflow_that_ended_without_it(tmp_path: Path) -> None:
    api = given(a_chain(2, podCleanup="WorkflowEnded"))
    async with operating(api, tmp_path) as operator:
        await operator.work(pod_of(api, "s0"))
        last = pod_of(api, "s1")
        await operator.commit(last)
        await operator.settled()
        assert api.status()["phase"] == "Succeeded"
        assert api.calls["delete pods"] == 1
    api.put("pods", api.pods[last], status={"phase": "Succeeded"})
    async with operating(api, tmp_path) as operator:
        await operator.settled()
        assert api.pods == {}
        assert api.calls["delete pods"] == 2
        assert api.status()["progress"] == "2/2"
        assert operator.engine.live == {}


async def test_a_deletion_that_fails_is_done_later_and_costs_the_workflow_nothing(tmp_path: Path) -> None:
    api = given(a_chain(2, podCleanup="StepEnded"))
    api.on("delete pods", *[refused(503, "ServiceUnavailable")] * 3)
    async with operating(api, tmp_path) as operator:
        await operator.work(pod_of(api, "s0"))
        await operator.work(pod_of(api, "s1"))
        await until(lambda: not api.pods)
        assert api.status()["progress"] == "2/2"


async def test_few_are_deleted_at_a_time(tmp_path: Path) -> None:
    builder = a_workflow().having(podCleanup="WorkflowEnded")
    for number in range(3 * AT_ONCE):
        builder = builder.kind(f"s{number}", "container", BODY)
    api = given(builder)
    async with operating(api, tmp_path) as operator:
        for pod in list(api.pods):
            await operator.commit(pod)
        await operator.settled()
        api.gate, api.gated = asyncio.Event(), "delete"
        for pod in list(api.pods):
            api.put("pods", api.pods[pod], status={"phase": "Succeeded"})
        await until(lambda: api.calls["delete pods"] == AT_ONCE)
        await asyncio.sleep(0.05)
        assert api.calls["delete pods"] == AT_ONCE
        api.gate.set()
        await operator.settled()
        assert (api.calls["delete pods"], api.pods) == (3 * AT_ONCE, {})


async def test_a_store_that_is_away_puts_a_cleanup_off_and_changes_no_verdict(tmp_path: Path) -> None:
    api = given(a_chain(podCleanup="WorkflowEnded"))
    async with operating(api, tmp_path) as operator:
        await operator.commit(pod_of(api, "s0"))
        await operator.settled()
    api.put("pods", api.pods[pod_of(api, "s0")], status={"phase": "Succeeded"})
    before = api.status()
    record, kept = spoilt(tmp_path)
    async with operating(api, tmp_path) as operator:
        assert (api.status(), len(api.pods)) == (before, 1)
        assert operator.queue.statistics().waiting == 1, "it is tried again"
        mended(record, kept)
        operator.reconciler.wake("uid-1")
        await operator.settled()
        assert (api.status(), api.pods) == (before, {})


async def test_a_committed_step_whose_pod_is_gone_stays_committed_even_where_no_status_says_so(tmp_path: Path) -> None:
    api = given(a_chain(2, podCleanup="StepEnded"))
    async with operating(api, tmp_path) as operator:
        await operator.work(pod_of(api, "s0"))
        await operator.settled()
        assert list(api.pods) == [pod_of(api, "s1")]
    api.put("mlworkflows", api.workflow(), status={})
    async with operating(api, tmp_path) as operator:
        first, second = api.status()["steps"]
        assert (first["phase"], first["attempts"], second["phase"]) == ("Succeeded", 1, "Running")
        await operator.work(pod_of(api, "s1"))
        assert (api.status()["phase"], api.calls["create pods"]) == ("Succeeded", 2)


def spoilt(folder: Path) -> tuple[Path, bytes]:
    """The only record, which nobody can read any more, and what it held."""
    (record,) = folder.glob("default/runs/**/[0-9]*.json")
    kept = record.read_bytes()
    record.unlink()
    record.symlink_to(record)
    return record, kept


def mended(record: Path, kept: bytes) -> None:
    record.unlink()
    record.write_bytes(kept)
