"""Two hundred Pods end in the same second: sixty that run, and a hundred and forty that are simulated, for the node has two cores."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from node.api import kwok

from ..conftest import Cluster, wait_for
from .lines import Lines
from .steps import Making, once, run_of, seconds_since, workflow

RUN, SIMULATED = 60, 140


@pytest.fixture
def elsewhere(cluster: Cluster, operator: str, namespace: str) -> Iterator[dict[str, Any]]:
    """The fields of a step whose Pod a simulated node runs for an hour; nothing of it runs, so it commits nothing."""
    kwok.start(2)
    yield {**kwok.POD_SPEC, "annotations": {kwok.RUN_FOR: "1h"}}
    cluster.kubectl("delete", "mlwf", "simulated", "-n", namespace)
    wait_for(lambda: not cluster.get("pods", namespace, "-l", "mlworkflow.io/workflow=simulated"), 60)
    kwok.stop()


def test_two_hundred_pods_that_end_at_once_are_all_heard(
    cluster: Cluster, operator: str, namespace: str, elsewhere: dict[str, Any], lines: Lines, make: Making
) -> None:
    """Those that run have committed: each counts once, and what follows starts once. Those that are simulated vanish: each is lost once, and
    starts once more."""
    running, simulated = [f"r{number}" for number in range(RUN)], [f"s{number}" for number in range(SIMULATED)]
    followed = workflow(*(make.light(name, "say; hold all") for name in running), make.light("last", after=running))
    cluster.apply(namespace, followed)
    vanishing = workflow(*(make.light(name, **elsewhere) for name in simulated))
    cluster.apply(namespace, {**vanishing, "metadata": {"name": "simulated"}})
    lines.wait_held("all", RUN, timeout=120)
    wait_for(lambda: len(alive(cluster, namespace)) == SIMULATED, 60)

    began = time.monotonic()
    lines.open("all")
    cluster.kubectl("delete", "pods", "-n", namespace, "-l", "mlworkflow.io/workflow=simulated", "--wait=false")
    status = cluster.wait_phase(namespace, "w", 60)["status"]
    took = seconds_since(began)
    assert run_of(status) == dict.fromkeys([*running, "last"], ("Succeeded", 1, 0))
    assert lines.counted() == once(*running, "last")
    assert took < 60

    again = dict.fromkeys(simulated, ("Running", 2, 0))
    wait_for(lambda: run_of(cluster.workflow(namespace, "simulated")["status"]) == again, 60)
    assert len(alive(cluster, namespace)) == SIMULATED


def alive(cluster: Cluster, namespace: str) -> list[str]:
    pods = cluster.get("pods", namespace, "-l", "mlworkflow.io/workflow=simulated")
    return [
        pod["metadata"]["name"]
        for pod in pods
        if pod["status"]["phase"] == "Running" and "deletionTimestamp" not in pod["metadata"]
    ]
