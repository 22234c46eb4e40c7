"""What a built-in kind runs, as a digest: a library that few steps use is beside it, and not in it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from mlworkflow_steps.agent import code


def test_optional_libraries_are_told_beside_the_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    (tmp_path / "numpy-2.1.0.dist-info").mkdir()
    alone = code.digest()
    assert alone.startswith("sha256:")
    assert " " not in alone
    for name in ("lightgbm-4.6.0", "xgboost_cpu-3.1", "unknown-1.0"):
        (tmp_path / f"{name}.dist-info").mkdir()
    assert code.digest() == f"{alone} lightgbm=lightgbm-4.6.0 xgboost=xgboost_cpu-3.1"
    (tmp_path / "scipy-1.15.dist-info").mkdir()
    assert code.digest().partition(" ")[0] != alone
