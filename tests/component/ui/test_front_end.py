"""The page's own tools: its types, its style, and the tests of what is pure in it. `make prepare` has installed them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

WEB = Path(__file__).parents[3] / "web"


@pytest.mark.parametrize("script", ["check", "test"])
def test_the_front_end_s_own_checks_pass(script: str) -> None:
    done = subprocess.run(["npm", "run", "--silent", script], cwd=WEB, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_lock_names_no_address() -> None:
    """Whatever registry a machine is set up with is where packages come from; what they are is told by their digests."""
    assert '"resolved"' not in (WEB / "package-lock.json").read_text()
