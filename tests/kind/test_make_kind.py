"""`make kind` does what the README promises: from nothing to a finished example on a three-node cluster."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.skipif(
    not os.environ.get("MLWF_KIND_TOOL") and not (shutil.which("docker") and shutil.which("kind")),
    reason="no docker and kind on PATH, and no MLWF_KIND_TOOL to make them",
)
@pytest.mark.timeout(3000)
def test_make_kind_runs_the_example() -> None:
    try:
        _make("kind")
    finally:
        _make("kind-down")


def _make(target: str) -> None:
    done = subprocess.run(["make", target], cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout[-8000:]
