"""The chart's NetworkPolicies, enforced: what works without them works with them, and nobody reaches what is not theirs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from .conftest import RELEASE, ROOT, Cluster, mlwf, own_namespace, wait_for
from .test_mistakes import shell, workflow

AGENT = "ghcr.io/mlworkflow/agent:0.1.0"
REACHES = """
import json, socket, sys
def reaches(place):
    host, _, port = place.rpartition(":")
    try:
        socket.create_connection((host, int(port)), 3).close()
    except OSError:
        return False
    return True
print(json.dumps([place for place in sys.argv[1:] if reaches(place)]))
"""
NEIGHBOUR = """
apiVersion: v1
kind: Pod
metadata: {name: neighbour}
spec:
  terminationGracePeriodSeconds: 0
  securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}
  containers:
    - name: web
      image: %s
      command: [python, -m, http.server, "8000", --directory, /tmp]
      securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
"""
"""A Pod that is no step, and serves."""


@pytest.fixture(scope="module")
def namespace(cluster: Cluster, operator: str) -> Iterator[str]:
    with own_namespace(cluster) as name:
        yield name


@pytest.fixture(scope="module")
def places(cluster: Cluster, operator: str, namespace: str) -> Iterator[dict[str, str]]:
    """What may be called, by who is there; a step and its neighbour run."""
    cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=NEIGHBOUR % AGENT)
    container = {"image": AGENT, "agent": True, "command": ["sleep", "600"]}
    cluster.apply(
        namespace, workflow({"name": "spy", "container": container, "terminationGracePeriodSeconds": 0}, name="spy")
    )
    wait_for(lambda: len(_running(cluster, namespace)) == 2, 60, cluster.operator_log)
    (of_operator,) = _running(cluster, operator, "-l", "app.kubernetes.io/component=operator").values()
    endpoints = json.loads(cluster.kubectl("get", "endpoints", "kubernetes", "-n", "default", "-o", "json"))
    (api_server,) = endpoints["subsets"][0]["addresses"]
    yield {
        "gateway": f"{RELEASE}-gateway.{operator}.svc:8080",
        "store": f"{RELEASE}-minio.{operator}.svc:9000",
        "metrics": f"{of_operator}:8082",
        "neighbour": f"{_running(cluster, namespace)['neighbour']}:8000",
        "API server": "kubernetes.default.svc:443",
        "API server itself": f"{api_server['ip']}:{endpoints['subsets'][0]['ports'][0]['port']}",
    }
    cluster.kubectl("delete", "mlwf", "spy", "-n", namespace)


@pytest.fixture(scope="module")
def enforced(cluster: Cluster, operator: str, namespace: str, places: dict[str, str]) -> Iterator[None]:
    """The chart's policies, and who enforces them."""
    api_server = places["API server itself"].rpartition(":")[0]
    policies = {
        "enabled": True,
        "apiServer": {"cidrs": [f"{api_server}/32"]},
        "steps": {"enabled": True, "namespaces": [namespace]},
    }
    _upgrade(cluster, operator, {"networkPolicy": policies})
    is_ours = "KUBECONFIG" not in os.environ
    if is_ours:
        from node import api

        api.policies.start()
    try:
        yield
    finally:
        if is_ours:
            api.policies.stop()
        _upgrade(cluster, operator, {"networkPolicy": {"enabled": False, "steps": {"enabled": False}}})


def _upgrade(cluster: Cluster, operator: str, values: dict[str, object]) -> None:
    chart = str(ROOT / "charts/mlworkflow")
    cluster.helm(
        "upgrade", RELEASE, chart, "--namespace", operator, "--reuse-values", "--wait", "--set-json",
        ",".join(f"{name}={json.dumps(value)}" for name, value in values.items()),
    )  # fmt: skip


def _who(pod: dict[str, Any]) -> str:
    """A step's task, anybody else's name."""
    metadata = pod["metadata"]
    return str(metadata.get("annotations", {}).get("mlworkflow.io/task", metadata["name"]))


def _running(cluster: Cluster, namespace: str, *selector: str) -> dict[str, str]:
    """The addresses of Pods, by who they are."""
    return {
        _who(pod): pod["status"]["podIP"]
        for pod in cluster.get("pods", namespace, *selector)
        if pod["status"]["phase"] == "Running" and "deletionTimestamp" not in pod["metadata"]
    }


def _reached(cluster: Cluster, namespace: str, who: str, places: dict[str, str]) -> set[str]:
    """What somebody can connect to."""
    (name,) = (pod["metadata"]["name"] for pod in cluster.get("pods", namespace) if _who(pod) == who)
    said = cluster.kubectl("exec", name, "-n", namespace, "--", "python", "-c", REACHES, *places.values())
    names = {place: name for name, place in places.items()}
    return {names[place] for place in json.loads(said)}


def test_everybody_reaches_everything_without_them(cluster: Cluster, namespace: str, places: dict[str, str]) -> None:
    for who in ("spy", "neighbour"):
        assert _reached(cluster, namespace, who, places) == {*places}, who


def test_a_step_reaches_the_gateway_and_the_store_alone(
    cluster: Cluster, namespace: str, places: dict[str, str], enforced: None
) -> None:
    assert _reached(cluster, namespace, "spy", places) == {"gateway", "store"}


def test_who_is_no_step_reaches_neither_of_them(
    cluster: Cluster, namespace: str, places: dict[str, str], enforced: None
) -> None:
    assert _reached(cluster, namespace, "neighbour", places) == {*places} - {"gateway", "store"}


def test_a_workflow_runs_and_is_looked_at_as_without_them(
    cluster: Cluster, operator: str, namespace: str, enforced: None, tmp_path: object
) -> None:
    made = shell("make", "echo hello | tee $MLWF_OUT/words", outputs={"words": {}})
    read = {
        "name": "read",
        "inputs": {"words": {"from": "make.words"}},
        "container": {"image": AGENT, "agent": True, "command": ["sh", "-c", "cp $MLWF_IN/words $MLWF_OUT/copy"]},
        "outputs": {"copy": {}},
    }
    cluster.apply(namespace, yaml.safe_dump(workflow(made, read, name="chain")))
    assert cluster.wait_phase(namespace, "chain")["status"]["phase"] == "Succeeded"
    assert mlwf(cluster, "logs", "chain", "make", "-n", namespace).strip() == "hello"
    target = f"{tmp_path}/copy"
    mlwf(cluster, "download", "chain", "read.copy", target, "-n", namespace)
    with open(target) as file:
        assert file.read() == "hello\n"
    proxy = f"/api/v1/namespaces/{operator}/services/{RELEASE}-ui:80/proxy/"
    assert "<html" in cluster.kubectl("get", "--raw", proxy), "the page is there for everybody"
