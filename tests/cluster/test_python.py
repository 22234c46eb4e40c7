"""`python` steps in real Pods: the code written into the step, in a ConfigMap, or of a git server; packages of an index."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from repositories import PASSWORD, USER, Repository, git, make_repository, served_repository
from wheels import make_index

from .conftest import Cluster, mlwf, served, wait_for

SHOUT = "import shout, os\ndef main(word: str): return {'said': shout.aloud(word), 'user': os.getuid()}\n"
COUNTED = "def main(words: list) -> dict:\n    return {'count': len(words), 'first': words[0]}\n"


@dataclass(frozen=True, slots=True)
class Outside:
    """What Pods reach on this machine: an index of packages, and a repository behind git's own server."""

    index: str
    server: str
    repository: Repository


@pytest.fixture(scope="module")
def outside(operator: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    from node.api import HOST_IP

    index, ours = tmp_path_factory.mktemp("index"), tmp_path_factory.mktemp("ours")
    make_index(index)
    repository = make_repository(ours)
    git(ours, "config", "uploadpack.allowAnySHA1InWant", "true")
    with served(index, HOST_IP) as address, served_repository(repository, HOST_IP) as server:
        yield Outside(address, server, repository)


def shouting(name: str, index: str, requirement: str, word: str) -> dict[str, Any]:
    host = index.removeprefix("http://").partition(":")[0]
    env = [{"name": "PIP_INDEX_URL", "value": index}, {"name": "PIP_TRUSTED_HOST", "value": host}]
    python = {"source": SHOUT, "requirements": [requirement]}
    return {"name": name, "params": {"word": word}, "env": env, "python": python}


def workflow(name: str, *steps: dict[str, Any]) -> str:
    """As JSON: in YAML kubectl reads the bare name `n` as false."""
    head = {"apiVersion": "mlworkflow.io/v1alpha1", "kind": "MLWorkflow", "metadata": {"name": name}}
    return json.dumps({**head, "spec": {"steps": list(steps)}})


def steps_of(status: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {step["name"]: step for step in status["steps"]}


def test_code_from_everywhere_runs_in_pods(cluster: Cluster, outside: Outside, namespace: str, tmp_path: Path) -> None:
    (tmp_path / "counted.py").write_text(COUNTED)
    cluster.kubectl("create", "configmap", "code", "-n", namespace, f"--from-file={tmp_path / 'counted.py'}")
    secret = [f"--from-literal=username={USER}", f"--from-literal=password={PASSWORD}"]
    cluster.kubectl("create", "secret", "generic", "ours", "-n", namespace, *secret)
    pinned = {"name": "code", "key": "counted.py", "sha256": hashlib.sha256(COUNTED.encode()).hexdigest()}
    first, second = outside.repository.first, outside.repository.second
    public = {"url": f"{outside.server}/ours/.git", "commit": first, "path": "steps/clean.py"}
    private = {"url": f"{outside.server}/private/ours/.git", "commit": second, "secret": "ours", "path": "steps/clean.py"}  # fmt: skip
    write = "from pathlib import Path\ndef main():\n    Path('w.json').write_text('[\"a\", \"b\"]')\n    return {'words': Path('w.json')}\n"
    resource = workflow(
        "code",
        {"name": "inline", "python": {"source": write}, "outputs": {"words": {}}},
        {"name": "mapped", "inputs": {"words": {"from": "inline.words"}}, "python": {"configMap": pinned}},
        shouting("say", outside.index, "shout>=1", "ho"),
        shouting("again", outside.index, "shout>=1", "hey"),
        {"name": "public", "params": {"n": 1}, "python": {"git": public}},
        {"name": "private", "params": {"n": 2}, "python": {"git": private}},
    )
    cluster.apply(namespace, resource)
    status = cluster.wait_phase(namespace, "code", 240)["status"]
    assert status["phase"] == "Succeeded", status
    steps = steps_of(status)
    assert steps["mapped"]["outputs"] == {"count": 2, "first": "a"}
    assert steps["say"]["outputs"] == {"said": "HO!", "user": 65532}
    assert steps["again"]["outputs"]["said"] == "HEY!"
    assert steps["public"]["outputs"] == {"said": "ho!"}, "of a commit that no branch names any more"
    assert steps["private"]["outputs"] == {"said": "heyhey!"}
    (installed,) = [name for name in steps if name.startswith("requirements-")]
    assert steps[installed]["outputs"] == {"packages": 2}
    mlwf(cluster, "download", "code", f"{installed}.lock", str(tmp_path / "lock"), "-n", namespace)
    lock = (tmp_path / "lock").read_text().splitlines()
    assert [line.partition(" --hash=sha256:")[0] for line in lock] == ["shout==1.0", "voice==2.1"]
    pods = cluster.get("pods", namespace)
    assert len(pods) == 6 + 1 + 2, "one for each step, one that installs, one for each commit"
    assert PASSWORD not in json.dumps([pods, status])


def test_code_that_cannot_be_had_names_what_is_missing(cluster: Cluster, outside: Outside, namespace: str) -> None:
    nowhere = {"url": f"{outside.server}/private/ours/.git", "commit": outside.repository.second, "path": "steps/clean.py"}  # fmt: skip
    cluster.apply(namespace, workflow("packages", shouting("say", outside.index, "shout>=7", "ho")))
    cluster.apply(namespace, workflow("commit", {"name": "private", "params": {"n": 1}, "python": {"git": nowhere}}))
    mapped = {"name": "mapped", "pendingTimeout": "5s", "python": {"configMap": {"name": "late", "key": "code.py"}}}
    cluster.apply(namespace, workflow("missing", mapped))
    waiting = {**mapped, "pendingTimeout": "2m"}
    cluster.apply(namespace, workflow("late", waiting))

    def says() -> bool:
        return 'configmap "late" not found' in str(cluster.workflow(namespace, "late").get("status", {}).get("steps"))

    said = {name: cluster.wait_phase(namespace, name)["status"] for name in ("packages", "commit", "missing")}
    assert {status["phase"] for status in said.values()} == {"Failed"}, said
    assert "RequirementsFailed: spec.steps[0].python.requirements: " in said["packages"]["message"]
    assert "satisfies the requirement shout>=7 (from versions: 1.0)" in said["packages"]["message"]
    assert "InputInvalid: spec.steps[0].python.git" in said["commit"]["message"]
    assert "wants a user and a password" in said["commit"]["message"]
    assert 'configmap "late" not found' in said["missing"]["message"]
    wait_for(says, 60, lambda: cluster.workflow(namespace, "late"))
    cluster.kubectl(
        "create", "configmap", "late", "-n", namespace, "--from-literal=code.py=def main(): return {'n': 7}"
    )
    status = cluster.wait_phase(namespace, "late")["status"]
    assert steps_of(status)["mapped"]["outputs"] == {"n": 7}, status
