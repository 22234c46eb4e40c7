"""What is left of a workflow that is gone, on a real cluster: one finished workflow, deleted, and everything that can still be asked of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .conftest import Cluster, mlwf, wait_for
from .test_mistakes import shell, workflow


@pytest.fixture
def gone(cluster: Cluster, operator: str, namespace: str) -> dict[str, Any]:
    """A workflow that has ended and was deleted: one step was over its time, in an image that knows nothing of us."""
    steps = [
        shell("make", 'echo made; echo "$MLWF_PARAM_SEED" > $MLWF_OUT/data', outputs={"data": {}},
              params={"seed": "${{ params.seed }}"}),
        shell("use", "cat $MLWF_IN/data $MLWF_IN/data > $MLWF_OUT/twice", inputs={"data": {"from": "make.data"}},
              outputs={"twice": {}}),
        shell("late", "echo begun; trap '' TERM; while :; do sleep 0.1; done", timeout="8s", allowFailure=True,
              podTemplate={"spec": {"terminationGracePeriodSeconds": 2}}),
    ]  # fmt: skip
    resource = workflow(*steps)
    resource["spec"]["params"] = {"seed": 7}
    cluster.apply(namespace, resource)
    ended = cluster.wait_phase(namespace, "w", 120)
    assert ended["status"]["phase"] == "Succeeded", ended["status"]
    wait_for(lambda: json.loads(mlwf(cluster, "list", "--archived", "-n", namespace, "-o", "json")), 30)
    wait_for(lambda: not cluster.get("pods", namespace, "-l", "mlworkflow.io/step=late"), 30)
    assert mlwf(cluster, "delete", "w", "-n", namespace) == "w deleted\n"
    wait_for(lambda: not cluster.get("mlwf", namespace), 30)
    return ended


def test_a_workflow_that_is_gone_can_be_looked_at_and_purged(
    cluster: Cluster, namespace: str, gone: dict[str, Any]
) -> None:
    def asked(*words: str) -> Any:
        return json.loads(mlwf(cluster, *words, "-n", namespace, "-o", "json"))

    found = asked("get", "w")
    assert (found["metadata"]["uid"], found["status"]) == (gone["metadata"]["uid"], gone["status"])
    assert [run["uid"] for run in asked("list", "--archived")] == [gone["metadata"]["uid"]]
    assert mlwf(cluster, "logs", "w", "make", "-n", namespace) == "made\n"
    assert mlwf(cluster, "logs", "w", "late", "-n", namespace) == "begun\n", "its log was followed to its end"
    left = {f"{one['task']}.{one['name']}": one["digest"] for one in asked("artifacts", "w")}
    assert left.keys() == {"make.data", "use.twice"}
    assert mlwf(cluster, "download", "w", "use.twice", "-", "-n", namespace) == "7\n7\n"
    assert asked("verify", "w")["verified"]
    graph = asked("lineage", left["use.twice"][:20])
    assert [(arrow["kind"], arrow["name"]) for arrow in graph["arrows"]] == [
        ("made", "twice"), ("used", "data"), ("made", "data")]  # fmt: skip
    assert [(step["task"], step.get("params")) for step in graph["steps"]] == [("use", None), ("make", {"seed": 7})]
    assert all(step["imageDigest"].startswith("sha256:") for step in graph["steps"])
    again = asked("reproduce", "w", "--no-pin", "-q")  # the node's images are in no registry
    assert (again["identical"], again["compared"]) == (True, 2)
    assert again["again"].startswith("w-again-")
    found = asked("diff", "w", again["again"])
    assert [(one["kind"], one["where"]) for one in found["differences"]] == [("spec", "defaults")]
    assert mlwf(cluster, "delete", "w", "--purge", "-n", namespace) == "w purged\n"
    assert [run["id"] for run in asked("list", "--archived")] == [again["again"]]
