"""Signed runs on a real cluster: the operator's key, the statement, the public tool, reruns and a killed operator."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import ROOT, SYSTEM, Cluster, mlwf, own_namespace, wait_for


def verified(cluster: Cluster, namespace: str, *words: str) -> Any:
    """What `mlwf verify` finds, once there is a statement; with what it found wrong where it exits with 1."""
    command = [Path(sys.executable).parent / "mlwf", "verify", "digits", "-n", namespace, "-o", "json", *words]

    def asked() -> Any:
        done = subprocess.run(command, env=cluster.environ, capture_output=True, text=True, timeout=120)
        assert done.stdout or "has no signed statement" in done.stderr, done.stderr
        return json.loads(done.stdout) if done.stdout else None

    return wait_for(asked, 60)


@pytest.fixture(scope="module")
def digits(cluster: Cluster, operator: str) -> Iterator[str]:
    """The namespace where digits has succeeded, once for these tests."""
    with own_namespace(cluster) as namespace:
        cluster.apply(namespace, (ROOT / "examples/digits.yaml").read_text())
        workflow = cluster.wait_phase(namespace, "digits", timeout=180)
        assert workflow["status"]["phase"] == "Succeeded", workflow["status"]
        yield namespace


def test_a_workflow_is_signed_and_its_model_verifies_with_the_public_tool(
    cluster: Cluster, digits: str, tmp_path: Path
) -> None:
    found = verified(cluster, digits)
    assert found["verified"], found
    assert found["content"]
    model, signature, key = tmp_path / "model", tmp_path / "model.sig", tmp_path / "key.pem"
    mlwf(cluster, "download", "digits", "train.model", str(model), "-n", digits, "--signature", str(signature))
    key.write_text(mlwf(cluster, "public-key", "-n", digits))
    words = ["verify", "key", str(model), "--signature", str(signature), "--public_key", str(key)]
    done = subprocess.run([sys.executable, "-m", "model_signing", *words], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert verified(cluster, digits, "--key", str(key))["verified"]


def test_no_step_has_the_key_and_an_upgrade_keeps_it(cluster: Cluster, digits: str) -> None:
    for pod in cluster.get("pods", digits):
        assert "signing" not in json.dumps(pod["spec"])
    secret = json.loads(cluster.kubectl("get", "secret", "mlworkflow-signing", "-n", SYSTEM, "-o", "json"))["data"]
    cluster.helm(
        "upgrade", "mlworkflow", str(ROOT / "charts/mlworkflow"), "--namespace", SYSTEM, "--reuse-values", "--wait"
    )
    after = json.loads(cluster.kubectl("get", "secret", "mlworkflow-signing", "-n", SYSTEM, "-o", "json"))["data"]
    assert after == secret
    assert verified(cluster, digits, "--no-content")["verified"]


def test_an_operator_that_was_killed_signs_what_ends_next(cluster: Cluster, digits: str) -> None:
    assert verified(cluster, digits, "--no-content")["verified"]
    cluster.kubectl(
        "delete", "pod", "-n", SYSTEM, "-l", "app.kubernetes.io/component=operator", "--grace-period=0", "--force"
    )
    cluster.kubectl("rollout", "status", "-n", SYSTEM, "deploy/mlworkflow", "--timeout=120s", timeout=130)
    cluster.apply(digits, {"apiVersion": "mlworkflow.io/v1alpha1", "kind": "MLWorkflow", "metadata": {"name": "digits"}, "spec": {**cluster.workflow(digits, "digits")["spec"], "rerun": {"id": "again", "steps": ["evaluate"]}}})  # fmt: skip
    wait_for(lambda: cluster.workflow(digits, "digits")["status"].get("rerun") == "again", 60)
    cluster.wait_phase(digits, "digits", timeout=120)
    wait_for(lambda: verified(cluster, digits, "--no-content")["verified"], 60)
