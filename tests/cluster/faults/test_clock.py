"""The operator's clock is set forward by an hour in the middle of a run, and then back: nothing times out, and nothing runs twice."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path

from node.api import NODE_NAME

from ..conftest import Cluster, wait_for
from .host_operator import host_operator
from .lines import Lines
from .steps import Making, once, run_of, wait_steps, workflow

HOUR = 3600.0


def test_an_hour_forward_and_back_is_not_noticed(
    cluster: Cluster, operator: str, namespace: str, lines: Lines, make: Making, tmp_path: Path
) -> None:
    """Every kind of deadline is under way: of a step that runs, of one that waits for a node, of a back-off, of the workflow."""
    limits = {"timeout": "10m"}
    steps = [
        make.light("light", "say; hold first", **limits),
        make.plain("plain", "say; hold second", **limits),
        make.light("pending", nodeSelector={"mlworkflow-test": "clock"}, **limits),
        make.light("retried", 'say; hold "try-$MLWF_ATTEMPT"; [ "$MLWF_ATTEMPT" = 1 ]', retry={"limit": 1, "backoff": "4s"}, **limits),
        make.light("next", "say; hold third", after=["light"], **limits),
    ]  # fmt: skip
    try:
        with host_operator(cluster, tmp_path) as process:
            cluster.apply(namespace, workflow(*steps, timeout="20m"))
            for gate in ("first", "second", "try-0"):
                lines.wait_held(gate)
            process.step_clock(HOUR)
            time.sleep(2)
            lines.open("first", "try-0")
            lines.wait_held("third")
            wait_steps(cluster, namespace, "Pending", "retried")
            process.step_clock(0)  # the back-off is under way
            lines.wait_held("try-1", timeout=15)
            process.step_clock(-HOUR)
            cluster.kubectl("label", "node", NODE_NAME, "mlworkflow-test=clock")
            lines.wait_said("pending 0")
            lines.open("second", "third", "try-1")
            wait_for(
                lambda: cluster.workflow(namespace, "w")["status"]["phase"] not in ("Running", "Pending"),
                30,
                process.log,
            )
            status = cluster.workflow(namespace, "w")["status"]
    finally:
        cluster.kubectl("label", "node", NODE_NAME, "mlworkflow-test-")
    names = ("light", "plain", "pending", "next")
    assert run_of(status) == {**dict.fromkeys(names, ("Succeeded", 1, 0)), "retried": ("Succeeded", 2, 1)}, status
    assert status["phase"] == "Succeeded"
    assert lines.counted() == {**once(*names, "retried"), "retried 1": 1}
    began, ended = (datetime.fromisoformat(status[field]) for field in ("startedAt", "finishedAt"))
    assert 0 < (ended - began).total_seconds() < 120
