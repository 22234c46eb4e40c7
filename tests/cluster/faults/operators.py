"""The operator's Pods, to be found, killed and taken away."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from node import cgroups

from ..conftest import SYSTEM, Cluster, wait_for

SELECTOR = "app.kubernetes.io/component=operator"


def operator_pods(cluster: Cluster) -> list[dict[str, Any]]:
    return [pod for pod in cluster.get("pods", SYSTEM, "-l", SELECTOR) if "deletionTimestamp" not in pod["metadata"]]


def ready_operators(cluster: Cluster) -> list[str]:
    return [
        pod["metadata"]["name"]
        for pod in operator_pods(cluster)
        if any(state["ready"] for state in pod["status"].get("containerStatuses", []))
    ]


def operator_ip(cluster: Cluster) -> str:
    (pod,) = operator_pods(cluster)
    return str(pod["status"]["podIP"])


def force_delete_operator(cluster: Cluster) -> list[str]:
    """As when its node dies: no signal that it could heed, and no Pod any more. The lines that kubectl says, one for each."""
    now = ("--grace-period=0", "--force", "--wait=false")
    said = cluster.kubectl("delete", "pod", "-n", SYSTEM, "-l", SELECTOR, *now, check=False)
    return [line for line in said.splitlines() if "deleted" in line]


@contextmanager
def no_operator(cluster: Cluster) -> Iterator[None]:
    """Nobody is in charge, as during an upgrade that hangs."""
    scale = ("scale", "-n", SYSTEM, "deploy/mlworkflow")
    cluster.kubectl(*scale, "--replicas=0")
    try:
        wait_for(lambda: not cluster.get("pods", SYSTEM, "-l", SELECTOR), 40)
        yield
    finally:
        cluster.kubectl(*scale, "--replicas=1")
        cluster.kubectl("rollout", "status", "-n", SYSTEM, "deploy/mlworkflow", "--timeout=60s")


@contextmanager
def operator_frozen() -> Iterator[None]:
    """The operator's process does not move, as on a node that swaps; what it had open stays open."""
    processes = [pid for pid in cgroups.pids() if arguments_of(pid)[-2:] == ["-m", "mlworkflow"]]
    assert len(processes) == 1
    os.kill(processes[0], signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(processes[0], signal.SIGCONT)


def arguments_of(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").rstrip("\0").split("\0")
    except OSError:  # it has just ended
        return []
