"""`make kind` does what the README promises: from nothing to a finished example on a three-node cluster."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.timeout(3000)
def test_make_kind_runs_the_example() -> None:
    if not os.environ.get("MLWF_KIND_TOOL") and not (shutil.which("docker") and shutil.which("kind")):
        pytest.fail(
            "the kind tier needs docker and kind on PATH, or MLWF_KIND_TOOL: a tool that makes them\n"
            "Run fewer tiers: make test TIERS='unit component cluster'",
            pytrace=False,
        )
    try:
        _make("kind")
    finally:
        _make("kind-down")


def _make(target: str) -> None:
    done = subprocess.run(["make", target], cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout[-8000:]
