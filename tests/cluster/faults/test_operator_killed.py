"""The operator dies again and again, or there are two of it: what ran once runs once, and the workflow ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..conftest import Cluster
from .lines import Lines
from .operators import force_delete_operator, ready_operators
from .steps import Making, once, run_of, workflow

LAYERS, WIDTH = 6, 9
EVERY = 2.0


def sixty_steps(make: Making) -> list[dict[str, Any]]:
    """Six times: one step, and nine that wait for it and that the next one waits for."""
    steps: list[dict[str, Any]] = []
    for layer in range(LAYERS):
        before = [f"fan{layer - 1}-{number}" for number in range(WIDTH)] if layer else []
        steps.append(make.light(f"one{layer}", after=before))
        steps += [make.light(f"fan{layer}-{number}", after=[f"one{layer}"]) for number in range(WIDTH)]
    return steps


@contextmanager
def killing_the_operator(cluster: Cluster) -> Iterator[list[str]]:
    """Force deletes the operator's Pod: five times in a row every two seconds, which is about as long as it takes to start, and then two
    seconds after each new one is ready. Gives the list of those that were killed."""
    killed: list[str] = []
    over = threading.Event()

    def kill() -> None:
        while not over.wait(EVERY):
            if len(killed) < 5 or ready_operators(cluster):
                if len(killed) >= 5 and over.wait(EVERY):
                    return
                killed.extend(force_delete_operator(cluster))

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield killed
    finally:
        over.set()
        thread.join()


def test_an_operator_that_is_killed_again_and_again_runs_sixty_steps_once_each(
    cluster: Cluster, operator: str, namespace: str, lines: Lines, make: Making
) -> None:
    steps = sixty_steps(make)
    with killing_the_operator(cluster) as killed:
        cluster.apply(namespace, workflow(*steps))
        status = cluster.wait_phase(namespace, "w", 240)["status"]
    assert status["phase"] == "Succeeded", status
    assert lines.counted() == once(*(step["name"] for step in steps))
    assert set(run_of(status).values()) == {("Succeeded", 1, 0)}
    assert len(cluster.get("pods", namespace)) == len(steps)
    assert len(killed) >= 8


def test_two_operators_by_mistake_make_no_pod_twice(
    cluster: Cluster, operator: str, namespace: str, lines: Lines, make: Making
) -> None:
    """Both see everything, and each thinks that it is alone; their Pods have the same names, and a record is written once."""
    layers = 4
    steps: list[dict[str, Any]] = []
    for layer in range(layers):
        before = [f"plain{layer - 1}", f"light{layer - 1}-0", f"light{layer - 1}-1"] if layer else []
        steps += [make.plain(f"plain{layer}", "say; echo x > $MLWF_OUT/o", outputs={"o": {}}, after=before)]
        steps += [make.light(f"light{layer}-{number}", after=before) for number in range(2)]
    retried = make.light("retried", 'say; [ "$MLWF_ATTEMPT" = 1 ]', retry={"limit": 1, "backoff": "1s"})
    cluster.kubectl("scale", "-n", operator, "deploy/mlworkflow", "--replicas=2")
    try:
        cluster.kubectl("rollout", "status", "-n", operator, "deploy/mlworkflow", "--timeout=60s")
        assert len(ready_operators(cluster)) == 2
        cluster.apply(namespace, workflow(*steps, retried))
        status = cluster.wait_phase(namespace, "w", 90)["status"]
    finally:
        cluster.kubectl("scale", "-n", operator, "deploy/mlworkflow", "--replicas=1")
    assert status["phase"] == "Succeeded", status
    assert lines.counted() == {**once(*(step["name"] for step in steps)), "retried 0": 1, "retried 1": 1}
    run = run_of(status)
    assert run.pop("retried") == ("Succeeded", 2, 1)
    assert set(run.values()) == {("Succeeded", 1, 0)}
