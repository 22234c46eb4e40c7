"""Trials that share Pods, on a real node: the kubelet's word says whose turn it was, and what is left is what a Pod for each leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import promises

from .conftest import Cluster, mlwf
from .test_examples import ended, example
from .test_mistakes import workflow

AGENT = {"image": "ghcr.io/mlworkflow/agent:0.1.0", "agent": True}


def of_each(cluster: Cluster, namespace: str, name: str) -> dict[str, Any]:
    tasks = cluster.workflow(namespace, name)["status"]["tasks"]
    return {
        task["name"]: (
            task["params"],
            task["value"],
            {artifact: found["digest"] for artifact, found in task["artifacts"].items()},
        )
        for task in tasks
    }


def test_eight_trials_in_two_pods_leave_what_they_leave_in_eight(
    cluster: Cluster, operator: str, namespace: str, tmp_path: Path
) -> None:
    shared, alone = example("shared-pods"), example("shared-pods")
    alone["metadata"]["name"] = "alone"
    del alone["spec"]["steps"][0]["tune"]["trials"]["perPod"]
    for resource in (shared, alone):
        resource["spec"]["defaults"] = {"cache": {"enabled": False}}
        cluster.apply(namespace, resource)
    for name in ("shared-pods", "alone"):
        (tmp_path / name).mkdir()
        promises.shared_pods(ended(cluster, namespace, name, tmp_path / name))
    assert of_each(cluster, namespace, "shared-pods") == of_each(cluster, namespace, "alone")
    count = {
        name: len(cluster.get("pods", namespace, "-l", f"mlworkflow.io/workflow={name}"))
        for name in ("shared-pods", "alone")
    }
    assert count == {"shared-pods": 2, "alone": 8}
    log = mlwf(cluster, "logs", "shared-pods", "tune/5", "-n", namespace)
    assert [line for line in log.splitlines() if line] == ["degree 5: 0.0160"]


def test_one_that_takes_too_much_memory_fails_alone(cluster: Cluster, operator: str, namespace: str) -> None:
    script = 'test "$MLWF_PARAM_X" != 2 || exec tail /dev/zero; echo "{\\"name\\": \\"acc\\", \\"value\\": $MLWF_PARAM_X}" >> "$MLWF_METRICS"'
    tune = {
        "metric": {"name": "acc"},
        "space": {"x": {"choice": [1, 2, 3]}},
        "trials": {"max": 3, "parallel": 3, "perPod": 3, "maxFailed": 1},
        "step": {
            "container": {**AGENT, "command": ["sh", "-c", script]},
            "resources": {"limits": {"memory": "64Mi"}},
            "retry": {"limit": 0},
        },
    }
    cluster.apply(namespace, workflow({"name": "t", "tune": tune}))
    status = cluster.wait_phase(namespace, "w")["status"]
    assert status["phase"] == "Succeeded", status
    tasks = {task["name"]: task for task in status["tasks"]}
    assert (tasks["t/1"]["phase"], tasks["t/1"]["reason"]) == ("Failed", "OOMKilled")
    assert [tasks[f"t/{number}"]["phase"] for number in (0, 2)] == ["Succeeded"] * 2
    assert status["steps"][0]["outputs"]["best"]["params"] == {"x": 3}
