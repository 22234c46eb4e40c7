"""Whose attempt a Pod is: of the workflow in its own namespace, for as long as it is there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mlworkflow.core import names
from mlworkflow.core.observation import Result
from mlworkflow.gateway.errors import Forbidden
from mlworkflow.gateway.runs import Caller

from tests.builders import a_workflow
from tests.component.operator.cluster import ApiServer, Operator, given, operating, pod_of


def two() -> ApiServer:
    return given(a_workflow("w").step("a").step("b", after=["a"]))


def who(pod: dict[str, Any]) -> Caller:
    metadata = pod["metadata"]
    return Caller(namespace=metadata["namespace"], pod=metadata["name"], pod_uid=metadata["uid"])


async def test_a_pod_that_is_gone_is_nobody(tmp_path: Path) -> None:
    api = two()
    async with operating(api, tmp_path) as operator:
        pod = api.pods[pod_of(api, "a")]
        assert operator.runs.attempt_of(who(pod)).task == "a"
        api.remove("pods", pod["metadata"]["name"])
        await operator.settled()
        with pytest.raises(Forbidden):
            operator.runs.attempt_of(who(pod))


def forged(pod: dict[str, Any], namespace: str) -> dict[str, Any]:
    """A Pod that says of itself that it is this attempt, made by somebody who may make Pods in another namespace."""
    metadata = pod["metadata"]
    annotations, owner = metadata["annotations"], {**metadata["ownerReferences"][0], "name": "evil"}
    name = names.pod_name(
        "evil", owner["uid"], annotations[names.ANNOTATION_TASK], int(annotations[names.ANNOTATION_ATTEMPT])
    )
    return {
        **pod,
        "metadata": {"name": name, "namespace": namespace, "uid": "forged", "labels": metadata["labels"], "annotations": annotations, "ownerReferences": [owner]},
    }  # fmt: skip


@pytest.mark.parametrize("phase", ["Running", "Succeeded", "Failed"])
async def test_a_pod_of_another_namespace_is_no_attempt_whatever_it_says(tmp_path: Path, phase: str) -> None:
    api = two()
    async with operating(api, tmp_path) as operator:
        evil = api.put("pods", forged(api.pods[pod_of(api, "a")], "elsewhere"), status={"phase": phase})
        await operator.settled()
        with pytest.raises(Forbidden):
            operator.runs.attempt_of(who(evil))
        await _goes_on(api, operator)


async def _goes_on(api: ApiServer, operator: Operator) -> None:
    """The true Pod is still the attempt, and its end is what counts."""
    api.remove("pods", names.pod_name("evil", api.workflow()["metadata"]["uid"], "a", 0))
    await operator.settled()
    assert {step["name"]: step["phase"] for step in api.status()["steps"]}["a"] == "Running"
    await operator.work(pod_of(api, "a"))
    await operator.work(pod_of(api, "b"))
    assert api.status()["phase"] == "Succeeded"


async def test_a_workflow_of_another_namespace_has_no_task_for_a_stranger(tmp_path: Path) -> None:
    api = two()
    async with operating(api, tmp_path) as operator:
        mine = operator.runs.attempt_of(who(api.pods[pod_of(api, "a")]))
        stranger = mine._replace(namespace="elsewhere")
        with pytest.raises(Forbidden):
            operator.runs.task(stranger)
        with pytest.raises(Forbidden):
            await operator.runs.commit(stranger, Result(exit_code=0))
