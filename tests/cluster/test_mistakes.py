"""What users get wrong, and what the infrastructure does to them: each ends in the right reason, with the last log lines."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Cluster

BUSYBOX = "docker.io/library/busybox:1.36"


def workflow(*steps: dict[str, Any], name: str = "w", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "mlworkflow.io/v1alpha1",
        "kind": "MLWorkflow",
        "metadata": {"name": name},
        "spec": {"steps": list(steps), **spec},
    }


def shell(name: str, script: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "container": {"image": BUSYBOX, "command": ["sh", "-c", script]}, **fields}


@pytest.mark.parametrize(
    ("steps", "path", "said"),
    [
        ([shell("a", "true", after=["b"]), shell("b", "true", after=["a"])], "spec.steps", "a -> b -> a"),
        (
            [shell("a", "true", inputs={"x": {"from": "nowhere.model"}})],
            "spec.steps[0].inputs.x.from",
            "there is no step 'nowhere'",
        ),
        ([shell("a", "true", when="${{ params. }}")], "spec.steps[0].when", "not valid CEL"),
        (
            [shell("a", "true"), shell("b", "true", inputs={"x": {"from": "a.model"}})],
            "spec.steps[1].inputs.x.from",
            "no artifact 'model'",
        ),
    ],
    ids=["cycle", "dangling-from", "bad-expression", "undeclared-output"],
)
def test_a_mistake_in_the_spec_is_named_and_starts_no_pod(
    cluster: Cluster, operator: str, namespace: str, steps: list[dict[str, Any]], path: str, said: str
) -> None:
    cluster.apply(namespace, workflow(*steps))
    status = cluster.wait_phase(namespace, "w", 20)["status"]
    valid = next(condition for condition in status["conditions"] if condition["type"] == "Valid")
    assert valid["status"] == "False"
    assert path in valid["message"]
    assert said in valid["message"]
    assert cluster.get("pods", namespace) == []


def test_a_spec_that_is_mended_runs(cluster: Cluster, operator: str, namespace: str) -> None:
    cluster.apply(namespace, workflow(shell("a", "true", after=["b"])))
    assert cluster.wait_phase(namespace, "w", 20)["status"]["phase"] == "Failed"
    cluster.apply(namespace, workflow(shell("a", "true")))
    cluster.kubectl("wait", "-n", namespace, "--for=condition=Succeeded", "mlwf/w", "--timeout=60s")
    assert len(cluster.get("pods", namespace)) == 1


@pytest.mark.parametrize(
    ("step", "reason", "said"),
    [
        (shell("a", "echo one; echo two; exit 3"), "Error", "two"),
        (shell("a", "echo done", outputs={"model": {}}), "OutputMissing", "model"),
        ({"name": "a", "container": {"image": BUSYBOX, "command": ["no-such-program"]}}, None, "no-such-program"),
        (
            {"name": "a", "pendingTimeout": "5s", "container": {"image": "nowhere.invalid/image:1"}},
            None,  # ErrImagePull, or PendingTimeout while the pull hangs; the image is named in either case
            "nowhere.invalid/image:1",
        ),
        (
            shell("a", "true", pendingTimeout="3s", resources={"requests": {"cpu": "1000"}}),
            "Unschedulable",
            "Insufficient cpu",
        ),
        (shell("a", "sleep 60", timeout="4s"), "DeadlineExceeded", "timeout of 4.0s"),
        (shell("a", "tail /dev/zero", resources={"limits": {"memory": "32Mi"}}), "OOMKilled", ""),
        (
            {"name": "a", "prep": {"source": {"sklearn": "digits"}, "target": "nothing-like-it"}},
            "ColumnNotFound",
            "nothing-like-it",
        ),
    ],
    ids=[
        "crash",
        "missing-output",
        "no-such-program",
        "no-such-image",
        "unschedulable",
        "timeout",
        "oom",
        "no-such-column",
    ],
)
def test_a_failure_explains_itself(
    cluster: Cluster, operator: str, namespace: str, step: dict[str, Any], reason: str | None, said: str
) -> None:
    cluster.apply(namespace, workflow(step))
    status = cluster.wait_phase(namespace, "w", 60)["status"]
    assert status["phase"] == "Failed"
    failed = status["steps"][0]
    if reason:
        assert reason in failed["reason"], failed
    assert said in failed["message"], failed
    assert "step 'a' failed" in status["message"]


def test_a_failed_step_stops_what_depends_on_it_and_nothing_else(
    cluster: Cluster, operator: str, namespace: str
) -> None:
    cluster.apply(
        namespace,
        workflow(
            shell("bad", "exit 1"),
            shell("child", "true", after=["bad"]),
            shell("other", "sleep 1"),
            shell("last", "true", after=["other"]),
        ),
    )
    status = cluster.wait_phase(namespace, "w", 60)["status"]
    phases = {step["name"]: (step["phase"], step.get("reason", "")) for step in status["steps"]}
    assert phases == {
        "bad": ("Failed", "Error"),
        "child": ("Skipped", "DependencyFailed"),
        "other": ("Succeeded", ""),
        "last": ("Succeeded", ""),
    }


def test_a_retry_counts_its_own_failures_and_not_lost_pods(cluster: Cluster, operator: str, namespace: str) -> None:
    script = 'if [ "$MLWF_ATTEMPT" -lt 1 ]; then exit 1; fi; sleep 2'
    cluster.apply(namespace, workflow(shell("a", script, retry={"limit": 1, "backoff": "1s"})))
    status = cluster.wait_phase(namespace, "w", 60)["status"]
    assert (status["phase"], status["steps"][0]["attempts"], status["steps"][0]["failures"]) == ("Succeeded", 2, 1)


def test_deleting_a_workflow_stops_its_pods(cluster: Cluster, operator: str, namespace: str) -> None:
    cluster.apply(namespace, workflow(shell("a", "sleep 300", terminationGracePeriodSeconds=1)))
    cluster.kubectl("wait", "-n", namespace, "--for=condition=Ready", "pod", "--all", "--timeout=60s", check=False)
    cluster.kubectl("delete", "mlwf", "w", "-n", namespace)
    cluster.kubectl("wait", "-n", namespace, "--for=delete", "pod", "--all", "--timeout=30s")
    assert cluster.get("pods", namespace) == []
