"""The object store answers 503 for a minute: at the worst moment of a training, at a workflow's first moment, and when one is deleted."""

from __future__ import annotations

import time

from ..conftest import Cluster, wait_for
from .lines import Lines
from .network import store_answers_503
from .operators import force_delete_operator
from .steps import Making, once, run_of, seconds_since, workflow

OUTAGE = 60.0


def test_a_minute_without_the_store_costs_a_minute(
    cluster: Cluster, operator: str, namespace: str, lines: Lines, make: Making
) -> None:
    """argo-workflows #15565, #9248: 503 at the upload fails a step whose training took hours, and so it trains again. Here two steps are
    about to upload when the minute begins, in one container and in three; a workflow is new; another is deleted; and the operator
    itself is killed and comes back to a store that is not there."""
    trains = "say; hold trained; echo model > $MLWF_OUT/model"
    outputs = {"outputs": {"model": {}}}
    cluster.apply(
        namespace,
        workflow(
            make.light("light", trains, **outputs),
            make.plain("plain", trains, **outputs),
            make.light("after", inputs={"a": {"from": "light.model"}, "b": {"from": "plain.model"}}),
        ),
    )
    unwanted = make.light("unwanted", "say; hold never", terminationGracePeriodSeconds=1)
    cluster.apply(namespace, {**workflow(unwanted), "metadata": {"name": "deleted"}})
    lines.wait_held("trained", 2)
    lines.wait_held("never")
    with store_answers_503():
        began = time.monotonic()
        lines.open("trained")
        cluster.apply(namespace, {**workflow(make.light("new")), "metadata": {"name": "new"}})
        for name in ("w", "new"):
            wait_for(lambda name=name: "waiting for the object store" in message(cluster, namespace, name), 20)

        asked = time.monotonic()
        cluster.kubectl("delete", "mlwf", "deleted", "-n", namespace)
        wait_for(lambda: pods_of(cluster, namespace, "unwanted") == 0, 20)
        assert seconds_since(asked) < 20

        force_delete_operator(cluster)
        time.sleep(OUTAGE - seconds_since(began))
        assert pods_of(cluster, namespace, "new") == 0
    assert cluster.wait_phase(namespace, "new", 40)["status"]["phase"] == "Succeeded"
    status = cluster.wait_phase(namespace, "w", 60)["status"]
    assert run_of(status) == dict.fromkeys(("light", "plain", "after"), ("Succeeded", 1, 0)), status
    assert status.get("message", "") == ""
    assert lines.counted() == once("light", "plain", "after", "new", "unwanted")


def message(cluster: Cluster, namespace: str, name: str) -> str:
    return str(cluster.workflow(namespace, name).get("status", {}).get("message", ""))


def pods_of(cluster: Cluster, namespace: str, step: str) -> int:
    return len(cluster.get("pods", namespace, "-l", f"mlworkflow.io/step={step}"))
