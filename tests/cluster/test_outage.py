"""The object store is away: workflows wait and say so, and go on by themselves when it is back."""

from __future__ import annotations

from .conftest import Cluster, wait_for
from .test_mistakes import shell, workflow

STORE = "statefulset/mlworkflow-minio"


def test_a_workflow_waits_for_the_store_and_says_so(cluster: Cluster, operator: str, namespace: str) -> None:
    def message() -> str:
        return str(cluster.workflow(namespace, "w").get("status", {}).get("message", ""))

    cluster.kubectl("scale", "-n", operator, STORE, "--replicas=0")
    try:
        cluster.kubectl("wait", "-n", operator, "--for=delete", "pod/mlworkflow-minio-0", "--timeout=60s", check=False)
        cluster.apply(namespace, workflow(shell("a", "echo hello > $MLWF_OUT/o", outputs={"o": {}})))
        wait_for(lambda: "waiting for the object store" in message(), 60, message)
        assert cluster.get("pods", namespace) == []
    finally:
        cluster.kubectl("scale", "-n", operator, STORE, "--replicas=1")
        cluster.kubectl("rollout", "status", "-n", operator, STORE, "--timeout=90s")
    status = cluster.wait_phase(namespace, "w", 90)["status"]
    assert status["phase"] == "Succeeded", status
    assert status.get("message", "") == ""


def test_a_step_keeps_its_result_while_the_store_is_away(cluster: Cluster, operator: str, namespace: str) -> None:
    """The step ends while the store is gone: it uploads when the store is back, and does not run again."""
    cluster.apply(namespace, workflow(shell("a", "sleep 6; echo $MLWF_ATTEMPT > $MLWF_OUT/o", outputs={"o": {}})))
    wait_for(lambda: [pod for pod in cluster.get("pods", namespace) if pod["status"]["phase"] == "Running"], 60)
    cluster.kubectl("scale", "-n", operator, STORE, "--replicas=0")
    try:
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
        wait_for(lambda: "waiting for the object store" in cluster.workflow(namespace, "w")["status"].get("message", ""), 60)
    finally:
        cluster.kubectl("scale", "-n", operator, STORE, "--replicas=1")
        cluster.kubectl("rollout", "status", "-n", operator, STORE, "--timeout=90s")
    status = cluster.wait_phase(namespace, "w", 120)["status"]
    assert (status["phase"], status["steps"][0]["attempts"]) == ("Succeeded", 1), status
    assert len(cluster.get("pods", namespace)) == 1
