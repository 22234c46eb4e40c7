"""What people and quotas do to a workflow under way: suspend, cancel, run out of room."""

from __future__ import annotations

from .conftest import Cluster, mlwf, wait_for
from .test_mistakes import shell, workflow


def running(cluster: Cluster, namespace: str) -> list[str]:
    return [pod["metadata"]["name"] for pod in cluster.get("pods", namespace) if pod["status"]["phase"] == "Running"]


def test_a_suspended_workflow_starts_nothing_until_it_is_resumed(
    cluster: Cluster, operator: str, namespace: str
) -> None:
    cluster.apply(namespace, workflow(shell("a", "true"), suspend=True))
    wait_for(lambda: cluster.workflow(namespace, "w").get("status", {}).get("phase") == "Suspended", 20)
    assert cluster.get("pods", namespace) == []
    mlwf(cluster, "resume", "w", "-n", namespace)
    assert cluster.wait_phase(namespace, "w", 60)["status"]["phase"] == "Succeeded"


def test_a_stopped_workflow_ends_as_cancelled_and_leaves_no_pod_running(
    cluster: Cluster, operator: str, namespace: str
) -> None:
    step = shell("a", "sleep 300", terminationGracePeriodSeconds=1)
    cluster.apply(namespace, workflow(step, shell("b", "true", after=["a"])))
    wait_for(lambda: running(cluster, namespace), 60)
    mlwf(cluster, "stop", "w", "-n", namespace)
    status = cluster.wait_phase(namespace, "w", 20)["status"]
    assert status["phase"] == "Cancelled"
    assert [step["phase"] for step in status["steps"]] == ["Cancelled", "Cancelled"]
    wait_for(lambda: not running(cluster, namespace), 30)


def test_under_a_quota_steps_wait_their_turn_and_the_workflow_says_so(
    cluster: Cluster, operator: str, namespace: str
) -> None:
    cluster.kubectl("create", "quota", "one-pod", "--hard=pods=1", "-n", namespace)
    cluster.apply(namespace, workflow(*(shell(f"s{number}", "sleep 2") for number in range(3))))
    wait_for(lambda: "exceeded quota" in cluster.workflow(namespace, "w").get("status", {}).get("message", ""), 30)
    status = cluster.wait_phase(namespace, "w", 120)["status"]
    assert status["phase"] == "Succeeded", status
    assert [step["attempts"] for step in status["steps"]] == [1, 1, 1]


def test_parallelism_bounds_the_pods_at_once(cluster: Cluster, operator: str, namespace: str) -> None:
    cluster.apply(namespace, workflow(*(shell(f"s{number}", "sleep 1") for number in range(5)), parallelism=2))
    most = 0

    def ended() -> bool:
        nonlocal most
        alive = [pod for pod in cluster.get("pods", namespace) if pod["status"]["phase"] in ("Pending", "Running")]
        uncommitted = {
            step["pod"] for step in cluster.workflow(namespace, "w")["status"]["steps"] if step["phase"] == "Running"
        }
        most = max(most, len([pod for pod in alive if pod["metadata"]["name"] in uncommitted]))
        return cluster.workflow(namespace, "w")["status"]["phase"] == "Succeeded"

    wait_for(lambda: cluster.workflow(namespace, "w").get("status"), 20)
    wait_for(ended, 90)
    assert 1 <= most <= 2
