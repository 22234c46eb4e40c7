"""Three operators share the work on a real cluster, and lose one again and again: killed, frozen, cut off. The others go on with what was its own
within ten seconds, and every step runs once."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from mlworkflow.kube.members.leases import VIEW
from mlworkflow.kube.members.rendezvous import owner
from node import cgroups

from ..conftest import RELEASE, ROOT, SYSTEM, Cluster, wait_for
from .lines import Lines
from .network import operator_cut_off
from .operators import arguments_of, operator_pods
from .steps import Making, once, workflow

MEMBERS = 3
AT_ONCE = 6
HANDOVER = 10.0


@pytest.fixture
def members(cluster: Cluster, operator: str) -> Iterator[list[str]]:
    """The release with three operators, that agree; one of it again afterwards."""
    scale(cluster, MEMBERS)
    yield sorted(agreed(cluster))
    scale(cluster, 1)


def scale(cluster: Cluster, replicas: int) -> None:
    cluster.helm(
        "upgrade", RELEASE, str(ROOT / "charts/mlworkflow"), "--namespace", SYSTEM, "--reuse-values",
        "--set", f"operator.replicas={replicas}", "--wait", "--timeout", "3m",
    )  # fmt: skip
    wait_for(lambda: len(operator_pods(cluster)) == replicas, 60)


def views(cluster: Cluster) -> dict[str, set[str]]:
    """By whom each operator acts."""
    return {
        lease["metadata"]["name"]: set(lease["metadata"]["annotations"][VIEW].split(",")) - {""}
        for lease in cluster.get("leases", SYSTEM, "-l", "mlworkflow.io/members")
        if lease["spec"].get("holderIdentity")
    }


def agreed(cluster: Cluster) -> set[str]:
    """The operators, once all of them act by all of them."""
    names = {pod["metadata"]["name"] for pod in operator_pods(cluster)}
    wait_for(lambda: all(views(cluster).get(name) == names for name in names), 60, lambda: f"{names}: {views(cluster)}")
    return names


def process_of(member: str) -> int:
    (found,) = [
        pid
        for pid in cgroups.pids()
        if arguments_of(pid)[-2:] == ["-m", "mlworkflow"]
        and f"MLWF_MEMBER={member}\0".encode() in Path(f"/proc/{pid}/environ").read_bytes()
    ]
    return found


@contextmanager
def killed(cluster: Cluster, member: str) -> Iterator[None]:
    """Its container is started again, beside the others."""
    os.kill(process_of(member), signal.SIGKILL)
    yield


@contextmanager
def frozen(cluster: Cluster, member: str) -> Iterator[None]:
    process = process_of(member)
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


@contextmanager
def cut_off(cluster: Cluster, member: str) -> Iterator[None]:
    (ip,) = [pod["status"]["podIP"] for pod in operator_pods(cluster) if pod["metadata"]["name"] == member]
    with operator_cut_off(ip):
        yield


def test_whoever_is_lost_of_three_operators_is_replaced_in_ten_seconds_and_no_step_runs_twice(
    cluster: Cluster, operator: str, namespace: str, members: list[str], lines: Lines, make: Making
) -> None:
    """What is created when one is lost begins in time, also what would have been its own; what was under way ends."""
    faults: list[Callable[[Cluster, str], AbstractContextManager[None]]] = [killed, frozen, cut_off]
    names: list[str] = []
    took: dict[str, float] = {}
    orphans = 0
    for fault, victim in zip(faults, members, strict=True):
        batch = [f"{fault.__name__.replace('_', '-')}{number}" for number in range(AT_ONCE)]
        with fault(cluster, victim):
            began = time.monotonic()
            cluster.apply(namespace, yaml.safe_dump_all(resource(make, name) for name in batch))
            wait_for(lambda batch=batch: begun(cluster, namespace, batch), 60, lambda: f"{views(cluster)}")  # type: ignore[misc]
            took[fault.__name__] = time.monotonic() - began
            uids = [cluster.workflow(namespace, name)["metadata"]["uid"] for name in batch]
            orphans += sum(owner(uid, members) == victim for uid in uids)
        names += batch
        agreed(cluster)
    print(f"handed over, in seconds: {took}; {orphans} workflows of those who were lost")
    lines.open("all")
    for name in names:
        assert cluster.wait_phase(namespace, name, 120)["status"]["phase"] == "Succeeded"
    steps = [f"{name}-{step}" for name in names for step in ("a", "b")]
    assert lines.counted() == once(*steps)
    assert len(cluster.get("pods", namespace)) == len(steps)
    assert orphans > 0
    assert max(took.values()) < HANDOVER


def resource(make: Making, name: str) -> dict[str, Any]:
    """One step that says its line and waits, and one after it."""
    steps = [make.light(f"{name}-a", "say; hold all"), make.light(f"{name}-b", after=[f"{name}-a"])]
    made = workflow(*steps)
    return {**made, "metadata": {"name": name}}


def begun(cluster: Cluster, namespace: str, workflows: list[str]) -> bool:
    pods = cluster.get("pods", namespace)
    return {pod["metadata"]["labels"]["mlworkflow.io/workflow"] for pod in pods} >= set(workflows)
