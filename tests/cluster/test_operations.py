"""What who runs the operator sees of it, from its real Pod: events in `kubectl describe`, metrics, probes."""

from __future__ import annotations

import json

import pytest
from prometheus_client.parser import text_string_to_metric_families

from .conftest import Cluster, wait_for
from .test_mistakes import shell, workflow


@pytest.fixture(scope="module")
def pod(cluster: Cluster, operator: str) -> str:
    """Where the operator's Pod is asked, by way of the API server."""
    (found,) = cluster.get("pods", operator, "-l", "app.kubernetes.io/component=operator")
    return f"/api/v1/namespaces/{operator}/pods/{found['metadata']['name']}"


def samples(cluster: Cluster, pod: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    text = cluster.kubectl("get", "--raw", f"{pod}:8082/proxy/metrics")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_events_and_metrics_tell_what_has_become_of_a_workflow(cluster: Cluster, pod: str, namespace: str) -> None:
    ended = "mlworkflow_steps_ended_total"
    failed = (ended, frozenset({("kind", "container"), ("phase", "Failed")}))
    retried = ("mlworkflow_step_retries_total", frozenset({("kind", "container"), ("cause", "failed")}))
    before = samples(cluster, pod)
    cluster.apply(namespace, workflow(shell("a", "echo no room >&2; exit 3", retry={"limit": 1, "backoff": "0s"})))
    assert cluster.wait_phase(namespace, "w")["status"]["phase"] == "Failed"

    def told() -> dict[str, str]:
        found = cluster.get("events", namespace, "--field-selector", "involvedObject.kind=MLWorkflow")
        return {event["reason"]: event["type"] for event in found}

    wanted = {"Started": "Normal", "StepRetried": "Warning", "StepFailed": "Warning", "Failed": "Warning"}
    wait_for(lambda: told().keys() >= wanted.keys(), 60, told)
    assert told() == wanted
    described = cluster.kubectl("describe", "mlwf", "w", "-n", namespace)
    assert "no room" in described.partition("Events:")[2]

    now = samples(cluster, pod)
    assert now[failed] - before.get(failed, 0) == 1
    assert now[retried] - before.get(retried, 0) == 1
    assert now["mlworkflow_store_up", frozenset()] == 1
    assert any(name == "mlworkflow_workflow_duration_seconds_count" for name, _ in now)


@pytest.mark.parametrize("probe", ["startupz", "healthz", "readyz"])
def test_probes_say_how_it_is(cluster: Cluster, pod: str, probe: str) -> None:
    said = json.loads(cluster.kubectl("get", "--raw", f"{pod}:8081/proxy/{probe}"))
    assert said["ok"] is True
    assert said["conditions"]
