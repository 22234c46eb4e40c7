"""Parts of Kubernetes itself stop, freeze and forget while steps run: nothing is lost, and nothing runs twice."""

from __future__ import annotations

import json
import subprocess
import time
from typing import Any

import pytest
from node import api
from node.constants import NETNS

from ..conftest import Cluster, wait_for
from .lines import Lines
from .network import operator_cut_off
from .operators import operator_frozen, operator_ip
from .steps import Making, once, run_of, wait_steps, workflow


def around_a_fault(make: Making) -> list[dict[str, Any]]:
    """Two steps that are at the gate `fault` when it comes, one that ended before it, and two that follow."""
    return [
        make.light("before"),
        make.light("light", "say; hold fault", after=["before"]),
        make.plain("plain", "say; hold fault; echo x > $MLWF_OUT/o", after=["before"], outputs={"o": {}}),
        make.light("next", after=["light"]),
        make.light("last", after=["next"], inputs={"o": {"from": "plain.o"}}),
    ]


NAMES = ("before", "light", "plain", "next", "last")


@pytest.mark.parametrize(
    ("component", "fault", "seconds"),
    [("etcd", api.paused, 12), ("kubelet", api.stopped, 8)],
    ids=["etcd frozen", "kubelet restarted"],
)
def test_a_part_that_is_away_costs_time_and_nothing_else(
    cluster: Cluster, operator: str, namespace: str, lines: Lines, make: Making,
    component: str, fault: Any, seconds: float,
) -> None:  # fmt: skip
    """The steps end in the middle of the fault: who hears of it hears late."""
    cluster.apply(namespace, workflow(*around_a_fault(make)))
    lines.wait_held("fault", 2)
    all_running(cluster, namespace)
    with fault(component):
        time.sleep(seconds / 2)
        lines.open("fault")
        time.sleep(seconds / 2)
    api.wait_ready()
    status = cluster.wait_phase(namespace, "w", 60)["status"]
    assert status["phase"] == "Succeeded", status
    assert lines.counted() == once(*NAMES)
    assert run_of(status) == dict.fromkeys(NAMES, ("Succeeded", 1, 0))
    assert len(cluster.get("pods", namespace)) == len(NAMES)


def compact_etcd() -> None:
    """Let etcd forget every version but the current one, as it does every five minutes by itself."""
    script = (
        "import json, urllib.request\n"
        "def call(path, body):\n"
        "    return json.load(urllib.request.urlopen('http://127.0.0.1:2379/v3/' + path, json.dumps(body).encode()))\n"
        "now = call('kv/range', {'key': 'AA=='})['header']['revision']\n"
        "call('kv/compaction', {'revision': now, 'physical': True})\n"
    )
    subprocess.run(["nsenter", f"--net=/run/netns/{NETNS}", "python3", "-c", script], check=True)


def test_an_api_server_that_comes_back_without_a_memory_is_listed_anew(
    cluster: Cluster, operator: str, namespace: str, lines: Lines, make: Making
) -> None:
    """The operator is frozen. While it hears nothing, a Pod vanishes, a workflow comes and another is deleted; then the API server dies and is away
    for twenty seconds, in which two steps end; and the history from which the operator's watches could go on is compacted away, so that the
    new API server knows nothing of it either. When the operator moves again, its watches are cut in mid-stream, and then 410 Gone."""
    vanishes = make.light("vanishes", 'say; [ "$MLWF_ATTEMPT" != 0 ] || hold never')
    cluster.apply(namespace, workflow(*around_a_fault(make), vanishes))
    cluster.apply(namespace, {**workflow(make.light("gone", "say; hold never")), "metadata": {"name": "deleted"}})
    lines.wait_held("fault", 2)
    lines.wait_held("never", 2)
    all_running(cluster, namespace)
    (pod,) = cluster.get("pods", namespace, "-l", "mlworkflow.io/step=vanishes")
    with operator_frozen():
        cluster.kubectl("delete", "mlwf", "deleted", "-n", namespace)
        cluster.kubectl("delete", "pod", pod["metadata"]["name"], "-n", namespace, "--grace-period=0", "--force")
        cluster.apply(namespace, {**workflow(make.light("new")), "metadata": {"name": "new"}})
        with api.stopped("apiserver", kill=True):
            time.sleep(10)
            lines.open("fault")
            time.sleep(10)
            compact_etcd()
    status = cluster.wait_phase(namespace, "w", 120)["status"]
    assert status["phase"] == "Succeeded", status
    assert cluster.wait_phase(namespace, "new", 30)["status"]["phase"] == "Succeeded"
    assert lines.counted() == {**once("gone", "new", "vanishes", *NAMES), "vanishes 1": 1}
    assert run_of(status) == {**dict.fromkeys(NAMES, ("Succeeded", 1, 0)), "vanishes": ("Succeeded", 2, 0)}
    assert "Gone" in cluster.operator_log(2000)


def test_a_watch_that_falls_silent_delays_the_end_and_nothing_else(
    cluster: Cluster, operator: str, namespace: str, lines: Lines, make: Making
) -> None:
    """argo-workflows #12103, #13949, #15034: the only Pod of a workflow is Completed, and the workflow stays Running for days. Here the
    operator hears nothing of the Pod's end for as long as the network swallows every packet."""
    cluster.apply(namespace, workflow(make.plain("only", "say; hold silence")))
    lines.wait_held("silence")
    wait_steps(cluster, namespace, "Running", "only")
    with operator_cut_off(operator_ip(cluster)):
        lines.open("silence")
        (pod,) = cluster.get("pods", namespace)
        wait_for(lambda: step_has_ended(cluster, namespace, pod["metadata"]["name"]), 30)
        time.sleep(3)
    status = cluster.wait_phase(namespace, "w", 40)["status"]
    assert (status["phase"], run_of(status)) == ("Succeeded", {"only": ("Succeeded", 1, 0)})
    assert lines.counted() == once("only")


def all_running(cluster: Cluster, namespace: str) -> None:
    """Return when every container of the Pods that are not done has been started: one whose start is cut off is lost, and rightly so."""

    def started() -> bool:
        pods = [pod for pod in cluster.get("pods", namespace) if pod["status"]["phase"] != "Succeeded"]
        states = [state for pod in pods for state in pod["status"].get("containerStatuses", [])]
        return bool(states) and all("running" in state["state"] for state in states)

    wait_for(started, 30)


def step_has_ended(cluster: Cluster, namespace: str, pod: str) -> bool:
    found = json.loads(cluster.kubectl("get", "pod", pod, "-n", namespace, "-o", "json"))
    return any(
        state["name"] == "step" and "terminated" in state["state"] for state in found["status"]["containerStatuses"]
    )
