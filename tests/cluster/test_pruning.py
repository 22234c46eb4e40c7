"""Trials that do not look promising, on a real node: whichever way into the Pod, it is gone at once, and the search goes on."""

from __future__ import annotations

import time
from typing import Any

import pytest

from .conftest import Cluster, wait_for
from .test_mistakes import BUSYBOX, workflow

AGENT = {"image": "ghcr.io/mlworkflow/agent:0.1.0", "agent": True}
SCRIPT = """
step=0
while [ $step -lt 600 ]; do
  step=$((step + 1))
  echo "{\\"name\\": \\"acc\\", \\"value\\": $MLWF_PARAM_X, \\"step\\": $step}" >> "$MLWF_METRICS"
  [ $MLWF_PARAM_X = 0.9 ] && [ $step -gt 2 ] && exit 0
  sleep 1
done
"""


PRINTED = SCRIPT.replace('echo "{', 'echo "acc: $MLWF_PARAM_X" #')


@pytest.mark.parametrize(
    ("container", "script", "pattern"),
    [(AGENT, SCRIPT, ""), ({"image": BUSYBOX}, SCRIPT, ""), ({"image": BUSYBOX}, PRINTED, "^acc: (.*)$")],
    ids=["with the agent", "any image", "any image that only prints"],
)
def test_the_pod_of_a_pruned_trial_is_gone_at_once(
    cluster: Cluster, operator: str, namespace: str, container: dict[str, Any], script: str, pattern: str
) -> None:
    """The script would run for ten minutes; a shell as process 1 does not hear SIGTERM, and would use up its grace of half a minute."""
    body = {
        "metric": {"name": "acc", "pattern": pattern},
        "space": {"x": {"choice": [0.1, 0.9]}},
        "pruner": {"threshold": {"lower": 0.5}},
        "trials": {"max": 2, "parallel": 1},
        "step": {"container": {**container, "command": ["sh", "-c", script]}},
    }
    cluster.apply(namespace, workflow({"name": "t", "tune": body}))

    def pruned() -> dict[str, Any] | None:
        tasks = cluster.workflow(namespace, "w").get("status", {}).get("tasks", [])
        return next((task for task in tasks if task["name"] == "t/0" and task.get("reason") == "Pruned"), None)

    task = wait_for(pruned, 120, cluster.operator_log)
    decided = time.monotonic()
    assert (task["phase"], task["message"]) == ("Cancelled", "pruned at step 1, where 'acc' was 0.1")
    wait_for(lambda: task["pod"] not in [pod["metadata"]["name"] for pod in cluster.get("pods", namespace)], 60)
    took = time.monotonic() - decided
    print(f"gone {took:.1f} s after it was seen to be pruned")
    assert took < 20  # of a grace of 30: a generous bound for what takes about 2
    status = cluster.wait_phase(namespace, "w")["status"]
    assert status["phase"] == "Succeeded", status
    outputs = status["steps"][0]["outputs"]
    assert (outputs["best"]["params"], outputs["pruned_count"], outputs["failed_count"]) == ({"x": 0.9}, 1, 0)
