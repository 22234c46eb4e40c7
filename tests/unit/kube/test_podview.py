"""What is read off a Pod: a table of the shapes that real kubelets write."""

from __future__ import annotations

from typing import Any

import pytest
from mlworkflow.core.observation import Seen
from mlworkflow.kube.podview import PodView, pod_view

OWNER = "uid-of-the-workflow"


def a_pod(status: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "w-a-0",
            "namespace": "ns",
            "uid": "uid-of-the-pod",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "annotations": {
                "mlworkflow.io/workflow-uid": OWNER,
                "mlworkflow.io/task": "tune/3",
                "mlworkflow.io/attempt": "2",
            },
            "ownerReferences": [{"uid": OWNER}],
            **metadata,
        },
        "status": status,
    }


def container(name: str, **state: Any) -> dict[str, Any]:
    return {"name": name, "state": state}


def terminated(code: int, reason: str = "Error", message: str = "") -> dict[str, Any]:
    return {"exitCode": code, "reason": reason, "message": message}


def view(status: dict[str, Any], **metadata: Any) -> PodView:
    found = pod_view(a_pod(status, **metadata))
    assert found is not None
    return found


UNSCHEDULED = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}
PULLING = {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}


@pytest.mark.parametrize(
    ("status", "seen", "reason", "exit_code"),
    [
        ({"phase": "Pending"}, Seen.WAITING, "", None),
        ({"phase": "Pending", "conditions": [UNSCHEDULED]}, Seen.WAITING, "Unschedulable", None),
        (
            {"phase": "Pending", "containerStatuses": [container("step", waiting={"reason": "ContainerCreating"})]},
            Seen.WAITING,
            "",
            None,
        ),
        (
            {"phase": "Pending", "containerStatuses": [container("step", waiting=PULLING)]},
            Seen.WAITING,
            "ImagePullBackOff",
            None,
        ),
        (
            {
                "phase": "Pending",
                "initContainerStatuses": [container("fetch", running={})],
                "containerStatuses": [container("step", waiting={"reason": "PodInitializing"})],
            },
            Seen.RUNNING,
            "",
            None,
        ),
        (
            {
                "phase": "Pending",
                "initContainerStatuses": [container("fetch", terminated=terminated(0, "Completed"))],
                "containerStatuses": [container("step", waiting=PULLING)],
            },
            Seen.WAITING,
            "ImagePullBackOff",
            None,
        ),
        ({"phase": "Running", "containerStatuses": [container("step", running={})]}, Seen.RUNNING, "", None),
        (
            {"phase": "Succeeded", "containerStatuses": [container("step", terminated=terminated(0, "Completed"))]},
            Seen.ENDED,
            "",
            0,
        ),
        ({"phase": "Failed", "containerStatuses": [container("step", terminated=terminated(3))]}, Seen.ENDED, "Error", 3),
        (
            {"phase": "Failed", "containerStatuses": [container("step", terminated=terminated(137, "OOMKilled"))]},
            Seen.ENDED,
            "OOMKilled",
            137,
        ),
        ({"phase": "Failed", "reason": "DeadlineExceeded", "message": "too long"}, Seen.ENDED, "DeadlineExceeded", None),
        (
            {"phase": "Failed", "initContainerStatuses": [container("fetch", terminated=terminated(75))]},
            Seen.ENDED,
            "Error",
            75,
        ),
    ],
    ids=[
        "pending", "unschedulable", "creating", "no image", "fetching", "no image after fetch", "running", "succeeded",
        "crashed", "out of memory", "deadline", "fetch failed",
    ],
)  # fmt: skip
def test_where_an_attempt_stands(status: dict[str, Any], seen: Seen, reason: str, exit_code: int | None) -> None:
    attempt = view(status).attempt
    assert (attempt.task, attempt.number, attempt.handle) == ("tune/3", 2, "w-a-0")
    assert (attempt.seen, attempt.reason, attempt.exit_code, attempt.lost) == (seen, reason, exit_code, False)


FAILED = {"phase": "Failed", "containerStatuses": [container("step", terminated=terminated(143))]}


@pytest.mark.parametrize(
    ("status", "metadata"),
    [
        ({"phase": "Failed", "reason": "Evicted", "message": "low on memory"}, {}),
        ({**FAILED, "conditions": [{"type": "DisruptionTarget", "status": "True"}]}, {}),
        (FAILED, {"deletionTimestamp": "2026-01-01T00:01:00Z"}),
    ],
    ids=["evicted", "disrupted", "deleted by somebody"],
)
def test_the_infrastructure_is_blamed_for_what_it_did(status: dict[str, Any], metadata: dict[str, Any]) -> None:
    assert view(status, **metadata).attempt.lost is True


def test_the_users_container_may_end_before_its_pod() -> None:
    pod = view(
        {
            "phase": "Running",
            "containerStatuses": [
                container("step", terminated=terminated(128, "StartError", "exec: not found\n")),
                container("publish", running={}),
            ],
        }
    )
    assert pod.attempt.seen is Seen.RUNNING
    assert pod.end is not None
    assert (pod.end.exit_code, pod.end.reason, pod.end.message) == (128, "StartError", "exec: not found")


@pytest.mark.parametrize(
    "metadata",
    [{"annotations": {}}, {"ownerReferences": []}, {"ownerReferences": [{"uid": "another"}]}],
    ids=["no annotation", "no owner", "another owner"],
)
def test_a_pod_that_only_looks_like_ours_is_not(metadata: dict[str, Any]) -> None:
    assert pod_view(a_pod({"phase": "Running"}, **metadata)) is None
