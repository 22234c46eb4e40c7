"""The main job again, with SeaweedFS as the store, TLS at the gateway and closed networks: a release of the chart of its own, which looks after
one namespace.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import ROOT, Cluster, mlwf

SYSTEM, WORK = "mlworkflow-seaweedfs", "digits-seaweedfs"


@pytest.fixture(scope="module")
def seaweedfs(cluster: Cluster, operator: str) -> Iterator[str]:
    """The first operator steps aside: two of them would both look after every namespace."""
    cluster.kubectl("scale", "-n", operator, "deployment/mlworkflow", "--replicas=0")
    cluster.kubectl("create", "namespace", WORK)
    cluster.helm(
        "install", "weed", str(ROOT / "charts/mlworkflow"), "--namespace", SYSTEM, "--create-namespace", "--wait", "--timeout", "3m",
        "--set", f"store.server=seaweedfs,store.persistence.enabled=false,crds.install=false,rbac.aggregate=false,watchNamespaces={{{WORK}}}",
        "--set", "gateway.tls.enabled=true,networkPolicy.enabled=true,networkPolicy.steps.enabled=true",
    )  # fmt: skip
    yield WORK
    cluster.helm("uninstall", "weed", "--namespace", SYSTEM, "--wait")
    cluster.kubectl("delete", "namespace", SYSTEM, WORK, "--wait=false")
    cluster.kubectl("scale", "-n", operator, "deployment/mlworkflow", "--replicas=1")
    cluster.kubectl("rollout", "status", "-n", operator, "deployment/mlworkflow", "--timeout=60s")


def test_digits_on_seaweedfs(cluster: Cluster, seaweedfs: str) -> None:
    cluster.apply(seaweedfs, (ROOT / "examples/digits.yaml").read_text())
    cluster.kubectl("wait", "-n", seaweedfs, "--for=condition=Succeeded", "mlwf/digits", "--timeout=120s", timeout=130)
    status = cluster.workflow(seaweedfs, "digits")["status"]
    assert {step["name"]: step["phase"] for step in status["steps"]} == dict.fromkeys(
        ["prep", "tune", "train", "evaluate"], "Succeeded"
    )
    assert len(cluster.get("pods", seaweedfs)) == 6
    shown = mlwf(cluster, "artifacts", "digits", "-n", seaweedfs)
    assert "train.model" in shown or "model" in shown


def test_its_steps_and_its_readers_speak_tls(cluster: Cluster, seaweedfs: str, tmp_path: Path) -> None:
    for pod in cluster.get("pods", seaweedfs):
        (container,) = pod["spec"]["containers"]
        environment = {variable["name"]: variable["value"] for variable in container["env"]}
        assert environment["MLWF_GATEWAY"] == f"https://weed-mlworkflow-gateway.{SYSTEM}.svc:8080"
        assert "BEGIN CERTIFICATE" in environment["MLWF_CA"]
    report = tmp_path / "report.html"
    mlwf(cluster, "download", "digits", "evaluate.report", str(report), "-n", seaweedfs, "--operator-namespace", SYSTEM)
    assert "<html" in report.read_text()


def test_the_api_server_takes_the_policies(cluster: Cluster, seaweedfs: str) -> None:
    """Whether the network enforces them is the cluster's matter."""
    names = {policy["metadata"]["name"] for policy in cluster.get("networkpolicies", SYSTEM)}
    assert names == {"weed-mlworkflow", "weed-mlworkflow-seaweedfs"}
    assert [policy["metadata"]["name"] for policy in cluster.get("networkpolicies", seaweedfs)] == [
        "weed-mlworkflow-steps"
    ]
