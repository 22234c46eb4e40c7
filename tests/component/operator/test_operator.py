"""The operator over HTTP: real client, watches, queue and workers; what it asks of the API server is counted.

`test_api_calls` counts the same without a network, at larger sizes.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiohttp import web
from mlworkflow.core.pods import PodSettings, step_pod
from mlworkflow.engine import records
from mlworkflow.engine.engine import CREATE_AGAIN
from mlworkflow.store.layout import AttemptKey, cas_key

from tests.builders import WorkflowBuilder, a_workflow, order_of
from tests.component.kube.fake_api import failure, until

from .cluster import ApiServer, Fault, given, operating, pod_of, refused

BODY = {"image": "i", "command": ["c"], "agent": True}


def a_chain(length: int) -> WorkflowBuilder:
    builder = a_workflow()
    for number in range(length):
        builder = builder.kind(f"s{number}", "container", BODY, after=[f"s{number - 1}"] if number else [])
    return builder


def a_fan(width: int) -> WorkflowBuilder:
    builder = a_workflow()
    for number in range(width):
        builder = builder.kind(f"s{number}", "container", BODY)
    return builder


async def test_a_chain_costs_a_create_and_a_patch_a_step_and_no_read(tmp_path: Path) -> None:
    api = given(a_chain(5))
    async with operating(api, tmp_path) as operator:
        for number in range(5):
            assert len(api.pods) == number + 1
            await operator.work(pod_of(api, f"s{number}"))
        assert api.status()["phase"] == "Succeeded"
        assert api.status()["progress"] == "5/5"
        assert api.writes == {"create pods": 5, "patch mlworkflows/status": 6}
        assert (api.calls["list pods"], api.calls["watch pods"]) == (1, 1)
        assert operator.engine.live == {}, "what is over is forgotten"
    print(f"chain of 5: {sum(api.writes.values()) / 5:.2f} writes a step")


async def test_ends_that_come_during_a_patch_share_the_next_one(tmp_path: Path) -> None:
    api = given(a_fan(20))
    async with operating(api, tmp_path) as operator:
        first, *others = list(api.pods)
        api.gate = asyncio.Event()
        await operator.commit(first)
        await until(lambda: api.calls["patch mlworkflows/status"] == 2)
        for pod in others:
            await operator.commit(pod)
        api.gate.set()
        await operator.settled()
        assert api.status()["phase"] == "Succeeded"
        assert api.writes == {"create pods": 20, "patch mlworkflows/status": 3}
    print(f"fan of 20, ends together: {sum(api.writes.values()) / 20:.2f} writes a step")


async def test_a_fan_whose_ends_come_one_by_one_costs_a_patch_an_end_at_most(tmp_path: Path) -> None:
    api = given(a_fan(20))
    async with operating(api, tmp_path) as operator:
        for pod in list(api.pods):
            await operator.work(pod)
        assert api.status()["phase"] == "Succeeded"
        assert api.writes["create pods"] == 20
        assert api.writes["patch mlworkflows/status"] == 21
        assert set(api.writes) == {"create pods", "patch mlworkflows/status"}
    print(f"fan of 20, one by one: {sum(api.writes.values()) / 20:.2f} writes a step")


async def test_a_status_that_somebody_else_changed_is_read_again(tmp_path: Path) -> None:
    api = given(a_chain(2))
    async with operating(api, tmp_path) as operator:
        api.on("patch mlworkflows/status", refused(409, "Conflict"))
        await operator.work(pod_of(api, "s0"))
        await operator.work(pod_of(api, "s1"))
        assert api.status()["phase"] == "Succeeded"
        assert api.writes == {"create pods": 2, "patch mlworkflows/status": 4, "get mlworkflows": 1}


async def test_a_pod_of_ours_that_exists_is_adopted(tmp_path: Path) -> None:
    api = given(a_chain(1))
    api.on("create pods", lost_answer(api, a_chain(1)))
    async with operating(api, tmp_path) as operator:
        assert len(api.pods) == 1
        await operator.work(pod_of(api, "s0"))
        assert api.status()["phase"] == "Succeeded"
        assert api.writes == {"create pods": 1, "get pods": 1, "patch mlworkflows/status": 2}


async def test_a_pod_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    api = given(a_chain(1))
    api.on("create pods", lost_answer(api, a_chain(1).meta(uid="another")))
    async with operating(api, tmp_path):
        step = api.status()["steps"][0]
        assert (api.status()["phase"], step["reason"]) == ("Failed", "CreateRefused")
        assert "that is not ours" in step["message"]
        assert api.writes == {"create pods": 1, "get pods": 1, "patch mlworkflows/status": 1}


def lost_answer(api: ApiServer, builder: WorkflowBuilder) -> Fault:
    """A create that finds its Pod there already, made for `builder`'s workflow under the name that ours gets."""

    def fault() -> web.Response:
        settings = PodSettings(gateway="http://gateway", steps_image="steps", agent_image="agent")
        ours, theirs = (step_pod(order_of(made, "s0"), settings) for made in (a_chain(1), builder))
        theirs["metadata"]["name"] = ours["metadata"]["name"]
        api.put("pods", theirs, status={"phase": "Pending"})
        return failure(409, "AlreadyExists")

    return fault


async def test_an_unsound_spec_costs_one_patch_and_no_pod_and_runs_once_mended(tmp_path: Path) -> None:
    api = given(a_chain(1))
    good = api.workflow()["spec"]["steps"]
    api.edit(steps=[{**good[0], "after": ["nowhere"]}])
    async with operating(api, tmp_path) as operator:
        assert api.writes == {"patch mlworkflows/status": 1}
        assert api.status()["phase"] == "Failed"
        assert {condition["type"]: condition["status"] for condition in api.status()["conditions"]}["Valid"] == "False"
        assert "nowhere" in api.status()["message"]
        operator.reconciler.wake("uid-1")
        await operator.settled()
        assert api.writes == {"patch mlworkflows/status": 1}, "and it is not said twice"
        api.edit(steps=good)
        await operator.settled()
        await operator.settled()
        await operator.work(pod_of(api, "s0"))
        assert api.status()["phase"] == "Succeeded"


async def test_a_spec_that_is_made_unsound_while_it_runs_stops_its_pods_once(tmp_path: Path) -> None:
    api = given(a_chain(1))
    async with operating(api, tmp_path) as operator:
        pod = pod_of(api, "s0")
        api.put("pods", api.pods[pod], status={"phase": "Running"})
        await operator.settled()
        api.edit(steps=[{"name": "s0", "container": BODY, "after": ["nowhere"]}])
        await operator.settled()
        await operator.settled()
        assert (api.status()["phase"], api.status()["conditions"][0]["status"]) == ("Failed", "False")
        await operator.end(pod, "Failed")
        api.remove("pods", pod)
        await operator.settled()
        assert api.writes == {"create pods": 1, "patch mlworkflows/status": 2, "delete pods": 1}


@pytest.mark.parametrize(
    "message",
    [
        'pods "w-s0" is forbidden: exceeded quota: few, requested: pods=1, used: pods=1, limited: pods=1',
        'pods "w-s0" is forbidden: status unknown for quota: few, resources: pods',
        'pods "w-s0" is forbidden: error looking up service account default/default: serviceaccount "default" not found',
    ],
    ids=["full quota", "new quota", "new namespace"],
)
async def test_what_may_pass_is_waited_for(tmp_path: Path, message: str) -> None:
    api = given(a_chain(1))
    api.on("create pods", *[refused(403, "Forbidden", message)] * 2)
    async with operating(api, tmp_path) as operator:
        assert api.pods == {}
        operator.reconciler.wake("uid-1")  # instead of waiting CREATE_AGAIN seconds
        await operator.settled()
        assert message in api.status()["message"]
        assert CREATE_AGAIN > 0
        operator.reconciler.wake("uid-1")
        await operator.settled()
        assert len(api.pods) == 1
        assert api.status().get("message", "") == ""
        await operator.work(pod_of(api, "s0"))
        assert api.status()["phase"] == "Succeeded"
        assert api.status()["steps"][0]["attempts"] == 1


@pytest.mark.parametrize(
    ("code", "reason", "message"),
    [
        (403, "Forbidden", "violates PodSecurity"),
        (422, "Invalid", "spec.containers[0].image: Required value"),
        (400, "BadRequest", "cannot be handled as a Pod"),
        (413, "RequestEntityTooLarge", "limit is 3145728"),
    ],
)
async def test_what_will_not_pass_fails_its_step_at_once(tmp_path: Path, code: int, reason: str, message: str) -> None:
    api = given(a_chain(2))
    api.on("create pods", refused(code, reason, message))
    async with operating(api, tmp_path):
        first, second = api.status()["steps"]
        assert (api.status()["phase"], first["reason"], second["phase"]) == ("Failed", "CreateRefused", "Skipped")
        assert message in first["message"]
        assert api.writes == {"create pods": 1, "patch mlworkflows/status": 1}


async def test_a_step_without_any_image_never_asks_the_server(tmp_path: Path) -> None:
    api = given(a_workflow().kind("a", "container", {"command": ["c"]}))
    async with operating(api, tmp_path):
        assert "has no image" in api.status()["steps"][0]["message"]
        assert api.writes == {"patch mlworkflows/status": 1}


async def test_a_workflow_that_is_gone_when_its_status_is_written_is_forgotten(tmp_path: Path) -> None:
    api = given(a_chain(2))
    async with operating(api, tmp_path) as operator:
        api.on("patch mlworkflows/status", refused(404, "NotFound"))
        await operator.commit(pod_of(api, "s0"))
        await operator.settled()
        assert operator.engine.live == {}
        before = dict(api.writes)
        operator.reconciler.wake("uid-1")
        await operator.settled()
        assert api.writes == before


async def test_a_deletion_that_overtakes_the_answer_to_a_patch_is_not_forgotten(tmp_path: Path) -> None:
    api = given(a_chain(2))
    async with operating(api, tmp_path) as operator:
        resource = api.workflow()

        def overtaken() -> web.Response:
            del api.objects["mlworkflows"]["w"]
            operator.reconciler.observe("DELETED", resource)
            return web.json_response({**resource, "metadata": {**resource["metadata"], "resourceVersion": "1000"}})

        api.on("patch mlworkflows/status", overtaken)
        await operator.commit(pod_of(api, "s0"))
        await operator.settled()
        created = api.calls["create pods"]
        for pod in list(api.pods):
            api.remove("pods", pod)  # the garbage collector
        await operator.settled()
        assert operator.engine.live == {}
        assert api.calls["create pods"] == created, "nothing is started for a workflow that is gone"
        assert api.calls["patch mlworkflows/status"] == 2, "nor written to"


async def test_a_workflow_that_is_being_deleted_starts_nothing_more(tmp_path: Path) -> None:
    api = given(a_chain(2))
    async with operating(api, tmp_path) as operator:
        metadata = {**api.workflow()["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}
        api.put("mlworkflows", {**api.workflow(), "metadata": metadata})
        await operator.settled()
        await operator.settled()
        api.remove("pods", pod_of(api, "s0"))
        await operator.settled()
        assert api.writes == {"create pods": 1, "patch mlworkflows/status": 1}
        assert operator.engine.live == {}


async def test_a_pod_that_is_deleted_by_somebody_is_replaced(tmp_path: Path) -> None:
    api = given(a_chain(1))
    async with operating(api, tmp_path) as operator:
        api.remove("pods", pod_of(api, "s0"))
        await operator.settled()
        await operator.settled()
        step = api.status()["steps"][0]
        assert (step["phase"], step["attempts"], step["losses"]) == ("Running", 2, 1)
        await operator.work(pod_of(api, "s0", 1))
        assert api.status()["phase"] == "Succeeded"
        assert api.writes == {"create pods": 2, "get pods": 1, "patch mlworkflows/status": 3}


async def test_a_crash_costs_one_look_and_one_log(tmp_path: Path) -> None:
    api = given(a_chain(1))
    async with operating(api, tmp_path) as operator:
        ended = {"name": "step", "state": {"terminated": {"exitCode": 3, "reason": "Error"}}}
        await operator.end(pod_of(api, "s0"), "Failed", containerStatuses=[ended])
        step = api.status()["steps"][0]
        assert (step["phase"], step["reason"], step["message"]) == ("Failed", "Error", "exit code 3\nthe last words")
        assert api.writes == {"create pods": 1, "patch mlworkflows/status": 2, "get pods": 1, "get pods/log": 1}
        assert operator.engine.live == {}, "no event will come any more"


async def test_a_crash_on_a_node_that_cannot_be_reached_has_no_log_and_is_an_end_all_the_same(tmp_path: Path) -> None:
    api = given(a_chain(1))
    api.on("get pods/log", *[refused(500, "InternalError")] * 20)
    async with operating(api, tmp_path) as operator:
        await operator.end(pod_of(api, "s0"), "Failed")
        assert api.status()["phase"] == "Failed"
        assert api.calls["get pods/log"] < 5, "the end did not wait for the node"


async def test_a_long_log_is_kept_with_both_ends_and_says_what_is_missing(tmp_path: Path) -> None:
    api = given(a_chain(1))
    api.words = "the first words\n" + f"{'x' * 1023}\n" * 6000 + "the last words\n"
    async with operating(api, tmp_path) as operator:
        ended = {"name": "step", "state": {"terminated": {"exitCode": 3, "reason": "Error"}}}
        await operator.end(pod_of(api, "s0"), "Failed", containerStatuses=[ended])
        record = await records.read(operator.engine.store, AttemptKey("default", "uid-1", "s0", 0))
        assert record is not None
        assert record.logs is not None
        assert record.message.endswith("the last words")
        log = operator.engine.store.read_bytes(cas_key("default", record.logs.digest)).splitlines()
        assert (log[0], log[-1]) == (b"the first words", b"the last words")
        assert log.count(b"[... mlworkflow: truncated, this log is longer than 4096 KiB ...]") == 1
        assert 4 << 20 < record.logs.size < 6 << 20


async def test_a_cancelled_workflow_deletes_each_of_its_pods_once(tmp_path: Path) -> None:
    api = given(a_fan(3))
    async with operating(api, tmp_path) as operator:
        api.edit(cancel=True)
        await operator.settled()
        await operator.settled()
        assert api.status()["phase"] == "Cancelled"
        for pod in list(api.pods):
            await operator.end(pod, "Failed")
        assert api.writes == {"create pods": 3, "delete pods": 3, "patch mlworkflows/status": 2}
        assert operator.engine.live == {}


async def test_an_api_server_that_is_away_for_a_moment_costs_nothing_but_time(tmp_path: Path) -> None:
    api = given(a_chain(1))
    api.on("create pods", refused(503, "ServiceUnavailable"), refused(500, "InternalError"))
    api.on("patch mlworkflows/status", *[refused(503, "ServiceUnavailable")] * 5)
    async with operating(api, tmp_path) as operator:
        while not (api.status() and api.pods):
            operator.reconciler.wake("uid-1")
            await operator.settled()
        await operator.work(pod_of(api, "s0"))
        step = api.status()["steps"][0]
        assert (api.status()["phase"], step["attempts"], step.get("losses", 0)) == ("Succeeded", 1, 0)


async def test_finished_workflows_cost_a_restarted_operator_nothing(tmp_path: Path) -> None:
    api = given(a_chain(2))
    async with operating(api, tmp_path) as operator:
        for number in range(2):
            await operator.work(pod_of(api, f"s{number}"))
        assert api.status()["phase"] == "Succeeded"
    api.calls.clear()
    async with operating(api, tmp_path) as operator:
        assert api.calls == {"list pods": 1, "watch pods": 1, "list mlworkflows": 1, "watch mlworkflows": 1}
        assert operator.engine.live == {}


async def test_a_restarted_operator_takes_up_what_runs(tmp_path: Path) -> None:
    api = given(a_chain(2))
    async with operating(api, tmp_path):
        assert len(api.pods) == 1
    api.calls.clear()
    async with operating(api, tmp_path) as operator:
        assert api.writes == {}
        await operator.work(pod_of(api, "s0"))
        await operator.work(pod_of(api, "s1"))
        assert api.status()["phase"] == "Succeeded"
        assert api.writes == {"create pods": 1, "patch mlworkflows/status": 2}


SIDECAR = {"name": "proxy", "state": {"running": {}}}


def with_sidecar(api: ApiServer, pod: str) -> None:
    """An admission webhook puts a container into a Pod that never ends."""
    spec = api.pods[pod]["spec"]
    api.put("pods", api.pods[pod], spec={**spec, "containers": [*spec["containers"], {"name": "proxy"}]})


async def test_a_pod_that_a_sidecar_keeps_alive_is_deleted_once_its_step_has_committed(tmp_path: Path) -> None:
    api = given(a_chain(2))
    async with operating(api, tmp_path) as operator:
        pod = pod_of(api, "s0")
        with_sidecar(api, pod)
        running = {"name": "step", "state": {"running": {}}}
        api.put("pods", api.pods[pod], status={"phase": "Running", "containerStatuses": [running, SIDECAR]})
        await operator.settled()
        await operator.commit(pod)
        await operator.settled()
        assert api.calls["delete pods"] == 0, "the agent is not out of the house yet"
        ended = {"name": "step", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}
        await operator.end(pod, "Running", containerStatuses=[ended, SIDECAR])
        await operator.settled()
        assert api.calls["delete pods"] == 1
        api.remove("pods", pod)
        await operator.work(pod_of(api, "s1"))
        assert (api.status()["phase"], api.calls["delete pods"]) == ("Succeeded", 1)


async def test_a_crash_beside_a_sidecar_is_a_crash(tmp_path: Path) -> None:
    api = given(a_chain(1))
    async with operating(api, tmp_path) as operator:
        pod = pod_of(api, "s0")
        with_sidecar(api, pod)
        ended = {"name": "step", "state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}
        await operator.end(pod, "Running", containerStatuses=[ended, SIDECAR])
        await operator.settled()
        step = api.status()["steps"][0]
        assert (step["phase"], step["reason"]) == ("Failed", "OOMKilled")
        assert step["message"] == "exit code 137\nthe last words"
        assert api.calls["delete pods"] == 1
        assert operator.engine.live == {}


async def test_a_restarted_operator_ends_what_a_finished_workflow_left_lingering(tmp_path: Path) -> None:
    api = given(a_chain(1))
    async with operating(api, tmp_path) as operator:
        pod = pod_of(api, "s0")
        with_sidecar(api, pod)
        await operator.commit(pod)
        await operator.settled()
        assert api.status()["phase"] == "Succeeded"
    ended = {"name": "step", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}
    api.put("pods", api.pods[pod], status={"phase": "Running", "containerStatuses": [ended, SIDECAR]})
    async with operating(api, tmp_path) as operator:
        await operator.settled()
        assert api.calls["delete pods"] == 1
        assert operator.engine.live == {}
