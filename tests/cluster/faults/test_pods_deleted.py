"""Pods that somebody deletes, a node that is drained, a taint: losses of the infrastructure, which cost the step's own retries nothing."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from node import api

from ..conftest import SYSTEM, Cluster, wait_for
from .lines import Lines
from .steps import Making, once, run_of, wait_steps, workflow

OURS = "app.kubernetes.io/managed-by=mlworkflow"
NODE = api.NODE_NAME


def force_delete(cluster: Cluster, namespace: str, pod: str) -> None:
    cluster.kubectl("delete", "pod", pod, "-n", namespace, "--grace-period=0", "--force")


def pod_of(cluster: Cluster, namespace: str, step: str, attempt: int = 0) -> str:
    """The Pod of an attempt, once there is one."""

    def found() -> str:
        pods = cluster.get("pods", namespace, "-l", f"mlworkflow.io/step={step}")
        of_it = [
            pod["metadata"]["name"]
            for pod in pods
            if pod["metadata"]["annotations"]["mlworkflow.io/attempt"] == str(attempt)
        ]
        return of_it[0] if of_it else ""

    return str(wait_for(found, 30))


def test_pods_deleted_by_force_are_replaced_unless_they_had_committed(
    cluster: Cluster, operator: str, namespace: str, lines: Lines, make: Making
) -> None:
    """One while it waits for a node, two while they run, one the moment that it has committed."""
    held = 'say; [ "$MLWF_ATTEMPT" != 0 ] || hold running'
    steps = [
        make.light("pending", after=["committed"]),
        make.light("light", held),
        make.plain("plain", held),
        make.light("committed", "say; hold commit"),
        make.light("last", after=["pending", "light", "plain"]),
    ]
    cluster.apply(namespace, workflow(*steps))
    lines.wait_held("running", 2)
    lines.wait_held("commit")
    with api.stopped("scheduler"):
        lines.open("commit")
        wait_steps(cluster, namespace, "Succeeded", "committed")
        force_delete(cluster, namespace, pod_of(cluster, namespace, "committed"))
        force_delete(cluster, namespace, pod_of(cluster, namespace, "pending"))
    for step in ("light", "plain"):
        force_delete(cluster, namespace, pod_of(cluster, namespace, step))
    status = cluster.wait_phase(namespace, "w", 60)["status"]
    assert status["phase"] == "Succeeded", status
    lost = {"pending 1": 1, "light 0": 1, "light 1": 1, "plain 0": 1, "plain 1": 1}  # what never started said nothing
    assert lines.counted() == {**once("committed", "last"), **lost}
    twice = dict.fromkeys(("pending", "light", "plain"), ("Succeeded", 2, 0))
    assert run_of(status) == {**twice, **dict.fromkeys(("committed", "last"), ("Succeeded", 1, 0))}


@contextlib.contextmanager
def drained(cluster: Cluster, namespace: str) -> Iterator[None]:
    """The node gives up our Pods by eviction, which a PodDisruptionBudget can forbid, and takes no new ones meanwhile."""
    drain = ("drain", NODE, f"--pod-selector={OURS}", "--force", "--delete-emptydir-data", "--ignore-daemonsets")
    budget = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "all-of-them"},
        "spec": {"minAvailable": 4, "selector": {"matchLabels": {"app.kubernetes.io/managed-by": "mlworkflow"}}},
    }
    cluster.apply(namespace, budget)
    try:
        refused = cluster.kubectl(*drain, "--timeout=4s", check=False)
        assert "disruption budget" in refused, refused
        assert not [pod for pod in cluster.get("pods", namespace) if "deletionTimestamp" in pod["metadata"]]
        cluster.kubectl("delete", "pdb", "all-of-them", "-n", namespace)
        cluster.kubectl(*drain, "--timeout=60s")
        yield
    finally:
        cluster.kubectl("uncordon", NODE)


@contextlib.contextmanager
def tainted(cluster: Cluster, namespace: str) -> Iterator[None]:
    """The node throws out every Pod that does not bear with it; the operator and the store do."""
    bears = {"key": "mlworkflow-test", "operator": "Exists", "effect": "NoExecute"}
    for pod in cluster.get("pods", SYSTEM):
        patch = json.dumps({"spec": {"tolerations": [*pod["spec"]["tolerations"], bears]}})
        cluster.kubectl("patch", "pod", pod["metadata"]["name"], "-n", SYSTEM, "-p", patch)
    cluster.kubectl("taint", "node", NODE, "mlworkflow-test=yes:NoExecute")
    try:
        wait_for(lambda: gone(cluster, namespace), 60)
        yield
    finally:
        cluster.kubectl("taint", "node", NODE, "mlworkflow-test-")


def gone(cluster: Cluster, namespace: str) -> bool:
    pods = cluster.get("pods", namespace)
    return all(pod["metadata"]["annotations"]["mlworkflow.io/attempt"] != "0" for pod in pods)


@pytest.mark.parametrize("fault", [drained, tainted], ids=["drain", "taint"])
def test_a_node_that_is_emptied_costs_no_retry(
    cluster: Cluster, operator: str, namespace: str, lines: Lines, make: Making, fault: Any
) -> None:
    """However a step takes the SIGTERM: it is killed by it, deaf to it, ends with an error of its own, or ends well and left nothing."""
    again = 'say; if [ "$MLWF_ATTEMPT" != 0 ]; then echo x > $MLWF_OUT/o; exit 0; fi; '
    polite = "trap 'exit {}' TERM; hold term & wait"
    fields: dict[str, Any] = {"terminationGracePeriodSeconds": 3, "outputs": {"o": {}}}
    steps = [
        make.light("killed", again + "hold term", **fields),
        make.plain("deaf", again + "hold term", **fields),
        make.plain("polite", again + polite.format(143), **fields),
        make.plain("well", again + polite.format(0), **fields),
    ]
    names = [step["name"] for step in steps]
    cluster.apply(namespace, workflow(*steps))
    lines.wait_held("term", 4)
    cluster.kubectl("wait", "pod", "--all", "-n", namespace, "--for=condition=Ready", "--timeout=30s")
    with fault(cluster, namespace):
        wait_steps(cluster, namespace, "Running", *names)
    status = cluster.wait_phase(namespace, "w", 60)["status"]
    assert run_of(status) == dict.fromkeys(names, ("Succeeded", 2, 0)), status
    assert lines.counted() == {f"{name} {attempt}": 1 for name in names for attempt in (0, 1)}
