"""What failures leave, and garbage collection beside a running workflow, in a cluster."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from .conftest import SYSTEM, Cluster, mlwf, wait_for
from .test_mistakes import shell, workflow

KEEP = {"trace": {"keep": "always"}, "model": {}}


def traces(cluster: Cluster, namespace: str) -> dict[str, int]:
    """Which attempts left the output `trace`, by step."""
    found = json.loads(mlwf(cluster, "artifacts", "w", "-n", namespace, "-o", "json"))
    assert {one["name"] for one in found} <= {"trace"}
    return {one["task"]: one["attempt"] for one in found}


def test_failures_leave_what_is_kept_always_in_both_kinds_of_pod(
    cluster: Cluster, operator: str, namespace: str
) -> None:
    leave = "echo why > $MLWF_OUT/trace; exit 3"
    told = "trap 'echo told > $MLWF_OUT/trace; exit 1' TERM; while :; do sleep 0.1; done"
    steps = [
        shell("beside", leave, outputs=KEEP, allowFailure=True),
        shell("late", told, outputs=KEEP, timeout="20s", allowFailure=True),
        shell("takes", "true", inputs={"trace": {"from": "beside.trace"}}),
    ]
    agent = shell("inside", leave, outputs=KEEP, allowFailure=True)
    agent["container"] = {**agent["container"], "agent": True, "image": "ghcr.io/mlworkflow/agent:0.1.0"}
    cluster.apply(namespace, workflow(*steps, agent))
    status = cluster.wait_phase(namespace, "w", 180)["status"]
    phases = {step["name"]: step["phase"] for step in status["steps"]}
    assert phases == {"beside": "Failed", "late": "Failed", "takes": "Skipped", "inside": "Failed"}
    wait_for(lambda: traces(cluster, namespace) == {"beside": 0, "late": 0, "inside": 0}, 60)
    assert mlwf(cluster, "download", "w", "beside.trace", "-", "-n", namespace) == "why\n"
    assert mlwf(cluster, "download", "w", "late.trace", "-", "-n", namespace) == "told\n"


@pytest.fixture
def often(cluster: Cluster, operator: str) -> Iterator[None]:
    """An operator that collects garbage every ten seconds."""

    def restart(variable: str) -> None:
        cluster.kubectl("set", "env", "-n", SYSTEM, "deploy/mlworkflow", variable)
        cluster.kubectl("rollout", "status", "-n", SYSTEM, "deploy/mlworkflow", "--timeout=120s")

    restart("MLWF_GC_INTERVAL=10s")
    yield
    restart("MLWF_GC_INTERVAL=24h")


def test_garbage_is_collected_beside_a_running_workflow(cluster: Cluster, often: None, namespace: str) -> None:
    steps = [
        shell("first", "echo 1 > $MLWF_OUT/model", outputs={"model": {"keep": "1s"}}),
        shell("wait", "sleep 30", after=["first"]),
        shell("last", "cat $MLWF_IN/model", inputs={"model": {"from": "first.model"}}, after=["wait"]),
    ]
    cluster.apply(namespace, workflow(*steps))
    line = f"garbage namespace={namespace} removed=0"
    wait_for(lambda: line in cluster.operator_log(2000), 120, cluster.operator_log)
    report = json.loads(mlwf(cluster, "gc", "--dry-run", "-n", namespace, "-o", "json"))
    assert (report["objects"], report["records"]) == (0, 0)
    assert report["keptObjects"] > 0
    assert cluster.wait_phase(namespace, "w", 180)["status"]["phase"] == "Succeeded"
    assert mlwf(cluster, "logs", "w", "last", "-n", namespace) == "1\n"
