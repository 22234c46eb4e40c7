"""`mlwf doctor` and `mlwf top` on a real cluster: what is sound, what is not, and who may not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from .conftest import Cluster, mlwf, wait_for

WAITS = """
apiVersion: mlworkflow.io/v1alpha1
kind: MLWorkflow
metadata: {name: busy}
spec:
  parallelism: 2
  steps:
    - name: runs
      container: {image: busybox:1.36, command: [sleep, "600"]}
    - name: unfit
      nodeSelector: {no-such: node}
      container: {image: busybox:1.36, command: ["true"]}
    - name: third
      container: {image: busybox:1.36, command: ["true"]}
    - name: ship
      approve: {message: "Ship it?"}
"""


def checks(cluster: Cluster, *args: str, code: int = 0, **environ: str) -> dict[str, list[dict[str, Any]]]:
    """What doctor says, by the name of the check."""
    done = subprocess.run(
        [Path(sys.executable).parent / "mlwf", "doctor", "-o", "json", *args],
        env={**os.environ, "KUBECONFIG": cluster.kubeconfig, **environ},
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == code, done.stdout + done.stderr
    found: dict[str, list[dict[str, Any]]] = {}
    for check in json.loads(done.stdout):
        found.setdefault(check["name"], []).append(check)
    return found


def test_a_sound_cluster_is_told_so(cluster: Cluster, operator: str, namespace: str) -> None:
    found = checks(cluster, "-n", namespace)
    levels = {name: sorted({check["level"] for check in those}) for name, those in found.items()}
    said = json.dumps(found, indent=1)
    for name in ("cluster", "crd", "operator", "watched", "permission", "gateway", "store", "quota", "storage"):
        assert levels[name] == ["ok"], said
    assert "the schema of this mlwf" in found["crd"][0]["message"]
    assert levels["namespace"] == ["warn"], "the namespaces of these tests are restricted"
    assert "fail" not in {level for those in levels.values() for level in those}


def test_a_namespace_that_is_not_there_and_a_quota_that_is_used_up(
    cluster: Cluster, operator: str, namespace: str
) -> None:
    missing = checks(cluster, "-n", "no-such-namespace", code=1)
    assert missing["namespace"][0]["fix"] == "kubectl create namespace no-such-namespace"
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}}
    cluster.apply(namespace, quota)
    wait_for(lambda: cluster.get("resourcequotas", namespace)[0].get("status", {}).get("used"))
    told = checks(cluster, "-n", namespace)["quota"][0]
    assert (told["level"], told["message"]) == ("warn", "none is used up: pods 0 of 0")


def test_who_may_do_nothing_is_told_what_is_missing(
    cluster: Cluster, operator: str, namespace: str, tmp_path: Path
) -> None:
    cluster.kubectl("create", "serviceaccount", "nobody", "-n", namespace)
    token = cluster.kubectl("create", "token", "nobody", "-n", namespace).strip()
    config = yaml.safe_load(Path(cluster.kubeconfig).read_text())
    for user in config["users"]:
        user["user"] = {"token": token}
    mine = tmp_path / "kubeconfig"
    mine.write_text(yaml.safe_dump(config))
    found = checks(cluster, "-n", namespace, "--operator-namespace", operator, code=1, KUBECONFIG=str(mine))
    (essential,) = [check for check in found["permission"] if check["level"] == "fail"]
    assert "list mlworkflows" in essential["message"]
    cluster.run(*essential["fix"].replace("kubectl", cluster._kubectl, 1).split())
    again = checks(cluster, "-n", namespace, "--operator-namespace", operator, KUBECONFIG=str(mine))
    assert again["permission"][0]["level"] == "ok", "the command that was told is the one that mends it"
    assert {check["level"] for check in again["permission"][1:]} == {"warn"}
    assert "you may not read its schema" in again["crd"][0]["message"]


def test_top_says_what_waits_and_why(cluster: Cluster, operator: str, namespace: str) -> None:
    cluster.apply(namespace, WAITS)

    def looked() -> dict[str, dict[str, Any]] | None:
        found = {line["task"]: line for line in json.loads(mlwf(cluster, "top", "-n", namespace, "-o", "json"))}
        is_settled = found.get("runs", {}).get("state") == "Running" and found.get("unfit", {}).get("why") == "pod"
        return found if is_settled and {"third", "ship"} <= found.keys() else None

    found = wait_for(looked, 120, lambda: mlwf(cluster, "top", "-n", namespace))
    assert "Unschedulable" in found["unfit"]["message"]
    assert found["third"]["why"] == "parallelism"
    assert found["ship"]["message"].startswith("mlwf approve busy ship")
    assert found["runs"]["node"]
    assert "waits: pod" in mlwf(cluster, "top", "-n", namespace)
    mlwf(cluster, "stop", "busy", "-n", namespace)
