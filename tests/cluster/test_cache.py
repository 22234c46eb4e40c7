"""The cache on the node: what was done before costs no Pod, whoever did it, and one of many does what all of them want."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from .conftest import Cluster, mlwf, wait_for
from .test_mistakes import shell, workflow

CACHE = {"enabled": True}
DATA = {"source": {"sklearn": "iris"}, "target": "target", "split": {"test": 0.3, "seed": 7}}
FIT = {"estimator": "sklearn.tree.DecisionTreeClassifier", "seed": 7}


def named(name: str, *steps: dict[str, Any]) -> dict[str, Any]:
    resource = workflow(*steps)
    return {**resource, "metadata": {**resource["metadata"], "name": name}}


def run(cluster: Cluster, namespace: str, resource: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The status of each step, once the workflow has succeeded."""
    cluster.apply(namespace, resource)
    status = cluster.wait_phase(namespace, resource["metadata"]["name"], 180)["status"]
    assert status["phase"] == "Succeeded", status
    return {step["name"]: step for step in status["steps"]}


def pods_of(cluster: Cluster, namespace: str, name: str) -> list[dict[str, Any]]:
    return cluster.get("pods", namespace, "-l", f"mlworkflow.io/workflow={name}")


def chain(name: str, length: int) -> dict[str, Any]:
    steps = [shell("s0", "echo 0 > $MLWF_OUT/o", outputs={"o": {}}, cache=CACHE)]
    for number in range(1, length):
        inputs = {"i": {"from": f"s{number - 1}.o"}}
        script = "cat $MLWF_IN/i > $MLWF_OUT/o; echo $MLWF_STEP >> $MLWF_OUT/o"
        steps.append(shell(f"s{number}", script, inputs=inputs, outputs={"o": {}}, cache=CACHE))
    return named(name, *steps)


def seconds(status: dict[str, Any]) -> float:
    return float(status["duration"].removesuffix("s"))


def test_ten_steps_that_were_done_before_end_within_a_second_and_without_a_pod(
    cluster: Cluster, operator: str, namespace: str
) -> None:
    run(cluster, namespace, chain("first", 10))
    wait_for(lambda: all(pod["status"]["phase"] == "Succeeded" for pod in pods_of(cluster, namespace, "first")))
    time.sleep(1)  # what the last step ran is known once the kubelet has said it
    steps = run(cluster, namespace, chain("again", 10))
    assert {step["cached"] for step in steps.values()} == {True}
    assert pods_of(cluster, namespace, "again") == []
    assert seconds(cluster.workflow(namespace, "again")["status"]) <= 1.0


def test_of_three_workflows_at_once_one_does_the_work(cluster: Cluster, operator: str, namespace: str) -> None:
    work = shell("work", "sleep 3; date > $MLWF_OUT/o", outputs={"o": {}}, cache=CACHE)
    names = ["one", "two", "three"]
    for name in names:
        cluster.apply(namespace, named(name, work))
    wait_for(lambda: pods_of(cluster, namespace, "one") or pods_of(cluster, namespace, "two"))
    waiting = wait_for(
        lambda: [
            name
            for name in names
            if "does the same work" in cluster.workflow(namespace, name).get("status", {}).get("message", "")
        ]
    )
    assert len(waiting) <= 2
    found = [cluster.wait_phase(namespace, name, 60)["status"] for name in names]
    assert [status["phase"] for status in found] == ["Succeeded"] * 3
    assert sum(len(pods_of(cluster, namespace, name)) for name in names) == 1
    assert len({status["steps"][0]["artifacts"]["o"]["digest"] for status in found}) == 1


def test_who_waits_goes_on_waiting_when_the_operator_is_restarted(
    cluster: Cluster, operator: str, namespace: str
) -> None:
    work = shell("work", "sleep 12; date > $MLWF_OUT/o", outputs={"o": {}}, cache=CACHE)
    cluster.apply(namespace, named("one", work))
    wait_for(lambda: pods_of(cluster, namespace, "one"))
    cluster.apply(namespace, named("two", work))
    cluster.kubectl("delete", "pod", "-n", operator, "-l", "app.kubernetes.io/component=operator", "--wait=false")
    found = [cluster.wait_phase(namespace, name, 90)["status"] for name in ("one", "two")]
    assert [status["phase"] for status in found] == ["Succeeded"] * 2
    assert (len(pods_of(cluster, namespace, "one")), len(pods_of(cluster, namespace, "two"))) == (1, 0)


def test_a_laptop_and_a_cluster_compare_the_same(
    cluster: Cluster, operator: str, namespace: str, tmp_path: Path
) -> None:
    """The same steps on a laptop and in a cluster leave results under the same keys: built-in kinds, same code and libraries."""
    prep = {"name": "prep", "prep": DATA}
    train = {"name": "train", "inputs": {"train": {"from": "prep.train"}}, "train": FIT}
    resource = named("both", prep, train)
    run(cluster, namespace, resource)
    time.sleep(3)
    again = run(cluster, namespace, named("again", prep, train))
    assert [step["cached"] for step in again.values()] == [True, True]
    file = tmp_path / "both.yaml"
    file.write_text(json.dumps(resource))
    mlwf(cluster, "run", str(file), "-q", "--home", str(tmp_path / "home"))
    said = [json.loads(mlwf(cluster, "artifacts", "both", "-o", "json", *where)) for where in (
        ("-n", namespace), ("--local", "--home", str(tmp_path / "home")))]  # fmt: skip
    assert said[0] == said[1]
    local = sorted(path.stem for path in tmp_path.glob("home/**/cache/results/*.json"))
    assert len(local) == 2
    assert keys(cluster, namespace) == local


def keys(cluster: Cluster, namespace: str) -> list[str]:
    """The keys of the results that the bucket's cache holds for a namespace: MinIO keeps an object as a folder."""
    store = "statefulset/mlworkflow-minio"
    listed = cluster.kubectl(
        "exec", "-n", "mlworkflow-system", store, "--", "ls", f"/data/minio/mlworkflow/{namespace}/cache/results"
    )
    return sorted(name.removesuffix(".json") for name in listed.split())


def test_the_step_says_what_was_another(cluster: Cluster, operator: str, namespace: str) -> None:
    def printing(name: str, what: str) -> dict[str, Any]:
        return named(
            name,
            shell("s", "echo $MLWF_PARAM_WHAT > $MLWF_OUT/o", outputs={"o": {}}, params={"what": what}, cache=CACHE),
        )

    run(cluster, namespace, printing("w", "one"))
    time.sleep(3)
    cluster.kubectl("delete", "mlwf", "w", "-n", namespace)
    run(cluster, namespace, printing("w", "two"))
    said = mlwf(cluster, "why-miss", "w", "s", "-n", namespace)
    assert said.strip() == "s ran: params.what: one → two"
