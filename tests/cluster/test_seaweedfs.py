"""The main job again, with SeaweedFS as the store: a release of the chart of its own, which looks after one namespace."""

from __future__ import annotations

from collections.abc import Iterator

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
