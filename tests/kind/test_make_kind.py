"""What needs Docker: `make kind` does what the README promises, from nothing to a finished example on a three-node cluster, and local runs have their containers in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kind.docker import docker

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def is_there() -> None:
    """Docker and kind, the user's or made."""
    if not os.environ.get("MLWF_KIND_TOOL") and not (shutil.which("docker") and shutil.which("kind")):
        pytest.fail(
            "the kind tier needs docker and kind on PATH, or MLWF_KIND_TOOL: a tool that makes them\n"
            "Run fewer tiers: make test TIERS='unit component cluster'",
            pytrace=False,
        )


@pytest.mark.timeout(3000)
def test_make_kind_runs_the_example() -> None:
    try:
        _make("kind")
    finally:
        _make("kind-down")


def test_containers_of_a_local_run_are_docker_s(tmp_path: Path) -> None:
    tools = docker()
    tools.prepare()
    command = [Path(sys.executable).parent / "mlwf", "run", "-o", "json", REPOSITORY / "examples/any-language.yaml"]
    done = subprocess.run(
        [*command, "--engine", "docker", "--home", tmp_path], env=tools.environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    steps = {step["name"]: step for step in json.loads(done.stdout)["status"]["steps"]}
    assert steps["sum"]["outputs"] == {"greeting": 'it\'s "fine" 🙂', "total": 55}
    assert tools.ask("docker", "ps", "--all", "--quiet", "--filter", "label=mlworkflow.io/run") == ""


def _make(target: str) -> None:
    done = subprocess.run(["make", target], cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout[-8000:]
