"""The main job on a real cluster: apply `examples/digits.yaml`, get a trained and evaluated model, one Pod a step and a trial."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .conftest import ROOT, SYSTEM, Cluster, mlwf, wait_for

DIGITS = (ROOT / "examples/digits.yaml").read_text()
TASKS = {"prep", "tune/0", "tune/1", "tune/2", "train", "evaluate"}


@pytest.fixture(scope="module")
def digits(cluster: Cluster, operator: str) -> Any:
    """digits, run once: its namespace and the resource at its end."""
    namespace = "digits-e2e"
    cluster.kubectl("create", "namespace", namespace)
    cluster.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    cluster.apply(namespace, DIGITS)
    cluster.kubectl("wait", "-n", namespace, "--for=condition=Succeeded", "mlwf/digits", "--timeout=120s", timeout=130)
    yield namespace, cluster.workflow(namespace, "digits")
    cluster.kubectl("delete", "namespace", namespace, "--wait=false")


def test_it_succeeds_with_exactly_one_pod_per_step_and_trial(cluster: Cluster, digits: Any) -> None:
    namespace, workflow = digits
    assert workflow["status"]["phase"] == "Succeeded"
    assert workflow["status"]["progress"] == "4/4"
    pods = cluster.get("pods", namespace)
    assert sorted(pod["metadata"]["annotations"]["mlworkflow.io/task"] for pod in pods) == sorted(TASKS)
    assert all(len(pod["spec"]["containers"]) == 1 and "initContainers" not in pod["spec"] for pod in pods)


def test_the_accuracy_is_what_the_example_promises(digits: Any) -> None:
    _, workflow = digits
    steps = {step["name"]: step for step in workflow["status"]["steps"]}
    assert steps["evaluate"]["outputs"]["accuracy"] >= 0.93
    assert steps["tune"]["outputs"]["best"]["params"]["max_depth"] == 8


def test_the_downloaded_model_predicts_with_the_reported_accuracy(
    cluster: Cluster, digits: Any, tmp_path: Path
) -> None:
    namespace, workflow = digits
    mlwf(cluster, "download", "digits", "train.model", str(tmp_path / "model"), "-n", namespace)
    mlwf(cluster, "download", "digits", "prep.test", str(tmp_path / "test.parquet"), "-n", namespace)
    script = (
        "import sys, json, pandas, mlworkflow_steps\n"
        "model = mlworkflow_steps.load(sys.argv[1]); table = pandas.read_parquet(sys.argv[2])\n"
        "target = table.pop('target')\n"
        "print(json.dumps(float((model.predict(table) == target).mean())))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "model"), str(tmp_path / "test.parquet")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    steps = {step["name"]: step for step in workflow["status"]["steps"]}
    assert json.loads(done.stdout) == pytest.approx(steps["evaluate"]["outputs"]["accuracy"], abs=1e-9)


def test_a_local_run_gives_the_same_artifacts(cluster: Cluster, digits: Any, tmp_path: Path) -> None:
    """Where the image and this environment have the same versions of what writes the bytes, and that is what we install."""
    _, workflow = digits
    mlwf(cluster, "run", str(ROOT / "examples/digits.yaml"), home=tmp_path)
    local = json.loads(mlwf(cluster, "get", "digits", "--local", "-o", "json", home=tmp_path))
    for step in ("prep", "train", "tune"):
        here = next(item for item in local["status"]["steps"] if item["name"] == step)["artifacts"]
        there = next(item for item in workflow["status"]["steps"] if item["name"] == step)["artifacts"]
        assert {name: ref["digest"] for name, ref in here.items()} == {
            name: ref["digest"] for name, ref in there.items()
        }, step


def test_logs_outlive_the_pod(cluster: Cluster, digits: Any) -> None:
    namespace, _ = digits
    pod = cluster.get("pods", namespace, "-l", "mlworkflow.io/step=train")[0]["metadata"]["name"]
    cluster.kubectl("delete", "pod", pod, "-n", namespace)
    assert "accuracy" in mlwf(cluster, "logs", "digits", "train", "-n", namespace)


def test_kubectl_shows_what_a_person_wants_to_know(cluster: Cluster, digits: Any) -> None:
    namespace, _ = digits
    shown = cluster.kubectl("get", "mlwf", "-n", namespace)
    assert shown.splitlines()[0].split() == ["NAME", "PHASE", "PROGRESS", "DURATION", "AGE", "MESSAGE"]
    assert "Succeeded" in shown


def test_killing_the_operator_again_and_again_runs_no_step_twice(
    cluster: Cluster, operator: str, namespace: str
) -> None:
    cluster.apply(namespace, DIGITS)
    seen: set[str] = set()
    for _ in range(10):
        cluster.kubectl(
            "delete", "pod", "-n", SYSTEM, "-l", "app.kubernetes.io/component=operator", "--grace-period=0", "--force"
        )
        wait_for(lambda: cluster.get("pods", SYSTEM, "-l", "app.kubernetes.io/component=operator"), 30)
        seen |= {pod["metadata"]["uid"] for pod in cluster.get("pods", namespace)}
    workflow = cluster.wait_phase(namespace, "digits", timeout=180)
    assert workflow["status"]["phase"] == "Succeeded", workflow["status"]
    seen |= {pod["metadata"]["uid"] for pod in cluster.get("pods", namespace)}
    assert len(seen) == len(TASKS)
    attempts = [trial["attempts"] for step in workflow["status"]["steps"] for trial in [step, *step.get("trials", [])]]
    assert attempts == [1] * len(attempts)
