"""The object store is away: workflows wait and say so, and go on by themselves when it is back.

The store keeps running with all that it holds; the node refuses every connection to it, new and old. That needs our own node.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
from collections.abc import Iterator

from node.constants import NETNS

from .conftest import Cluster, wait_for
from .test_mistakes import shell, workflow


@contextlib.contextmanager
def store_away() -> Iterator[None]:
    """No packet reaches the store's port."""
    rule = ["FORWARD", "-p", "tcp", "--dport", "9000", "-j", "REJECT", "--reject-with", "tcp-reset"]
    iptables = ["nsenter", f"--net=/run/netns/{NETNS}", "iptables"]
    subprocess.run([*iptables, "-I", *rule], check=True)
    try:
        yield
    finally:
        subprocess.run([*iptables, "-D", *rule], check=True)


def message(cluster: Cluster, namespace: str) -> str:
    return str(cluster.workflow(namespace, "w").get("status", {}).get("message", ""))


def test_a_workflow_waits_for_the_store_and_says_so(cluster: Cluster, operator: str, namespace: str) -> None:
    with store_away():
        cluster.apply(namespace, workflow(shell("a", "echo hello > $MLWF_OUT/o", outputs={"o": {}})))
        wait_for(lambda: "waiting for the object store" in message(cluster, namespace), 90)
        assert cluster.get("pods", namespace) == []
    status = cluster.wait_phase(namespace, "w", 90)["status"]
    assert status["phase"] == "Succeeded", status
    assert status.get("message", "") == ""


def test_a_step_keeps_its_result_while_the_store_is_away(cluster: Cluster, operator: str, namespace: str) -> None:
    """The step ends while the store is gone: it says so, uploads when the store is back, and does not run again."""
    cluster.apply(namespace, workflow(shell("a", "sleep 5; echo $MLWF_ATTEMPT > $MLWF_OUT/o", outputs={"o": {}})))
    wait_for(lambda: [pod for pod in cluster.get("pods", namespace) if pod["status"]["phase"] == "Running"], 60)
    with store_away():
        ended = wait_for(
            lambda: [
                state
                for pod in cluster.get("pods", namespace)
                for state in pod["status"]["containerStatuses"]
                if state["name"] == "step" and "terminated" in state["state"]
            ],
            60,
        )
        assert ended[0]["state"]["terminated"]["exitCode"] == 0
        wait_for(lambda: "waiting for the object store" in message(cluster, namespace), 90)
        said = wait_for(lambda: cluster.workflow(namespace, "w")["status"]["steps"][0].get("message"), 40)
        assert re.fullmatch(
            r"waiting for the (gateway|store: upload of 'o'): .+, since \d\d:\d\d UTC, tries again until .+ UTC", said
        )
    status = cluster.wait_phase(namespace, "w", 120)["status"]
    assert status["steps"][0].get("message", "") == ""
    assert (status["phase"], status["steps"][0]["attempts"]) == ("Succeeded", 1), status
    assert len(cluster.get("pods", namespace)) == 1
