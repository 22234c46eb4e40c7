"""A step takes more than it may: memory, disk, a full volume. Each ends with the reason, in bounded time, and the last lines it wrote."""

from __future__ import annotations

import time
from typing import Any

from ..conftest import Cluster
from .lines import Lines
from .steps import Making, once, run_of, seconds_since, workflow

HOG = "say; echo before the end; tail /dev/zero"
FILL = "say; echo filling; dd if=/dev/zero of=/scratch/file bs=1M count=8"

LIMIT: dict[str, Any] = {"resources": {"limits": {"memory": "48Mi"}}}


def volume(**source: Any) -> dict[str, Any]:
    return {
        "volumes": [{"name": "scratch", "emptyDir": source}],
        "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}],
    }


def test_out_of_memory_and_out_of_disk_say_so(
    cluster: Cluster, operator: str, namespace: str, lines: Lines, make: Making
) -> None:
    """kubeflow/pipelines #13192: OOMKilled and the like are never recorded; the run shows a generic error of the launcher.

    A volume in memory is a small disk: writing fails with ENOSPC and the step with it. A disk over its `sizeLimit` is noticed by the
    kubelet some time later: it evicts the Pod, which would do the same again, so that counts as the step's own failure."""
    small = volume(sizeLimit="2Mi")
    evicted = FILL + "; hold evicted"
    steps = [
        make.light("oom-light", HOG, **LIMIT),
        make.plain("oom-plain", HOG, **LIMIT),
        make.light("enospc-light", FILL, **volume(medium="Memory", sizeLimit="2Mi")),
        make.plain("enospc-plain", FILL, **volume(medium="Memory", sizeLimit="2Mi")),
        make.light("evicted-light", evicted, **small),
        make.plain("evicted-plain", evicted, **small),
    ]
    began = time.monotonic()
    cluster.apply(namespace, workflow(*steps))
    status = cluster.wait_phase(namespace, "w", 90)["status"]
    took = seconds_since(began)
    found = {step["name"]: step for step in status["steps"]}
    reasons = {
        "oom-light": "OOMKilled", "oom-plain": "OOMKilled", "enospc-light": "Error", "enospc-plain": "Error",
        "evicted-light": "Evicted", "evicted-plain": "Evicted",
    }  # fmt: skip
    assert {name: step.get("reason") for name, step in found.items()} == reasons, status
    for name in ("oom-light", "oom-plain"):
        assert "before the end" in found[name]["message"], found[name]
    for name in ("enospc-light", "enospc-plain"):
        assert "No space left on device" in found[name]["message"], found[name]
    for name in ("evicted-light", "evicted-plain"):
        assert "exceeds the limit" in found[name]["message"], found[name]
    assert lines.counted() == once(*found)
    assert run_of(status) == dict.fromkeys(found, ("Failed", 1, 1))
    assert took < 60
