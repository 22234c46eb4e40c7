"""Every example by `mlwf run`, as a newcomer would run it, each in a home of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from bike import make_bike

ROOT = Path(__file__).parents[3]


def mlwf(home: Path, *args: str) -> str:
    environ = {**os.environ, "MLWF_HOME": str(home), "MLWF_LOCAL": "1"}
    done = subprocess.run(
        [Path(sys.executable).parent / "mlwf", *args],
        env=environ,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def outputs(home: Path, name: str) -> dict[str, Any]:
    return {
        step["name"]: step.get("outputs", {})
        for step in json.loads(mlwf(home, "get", name, "-o", "json"))["status"]["steps"]
    }


def test_digits(tmp_path: Path) -> None:
    said = mlwf(tmp_path, "run", "examples/digits.yaml")
    assert outputs(tmp_path, "digits")["evaluate"]["accuracy"] >= 0.93
    assert "evaluate.report" in said
    assert "train.model" in said
    mlwf(tmp_path, "download", "digits", "evaluate.report", str(tmp_path / "report.html"))
    assert "accuracy" in (tmp_path / "report.html").read_text()


def test_any_language(tmp_path: Path) -> None:
    mlwf(tmp_path, "run", "examples/any-language.yaml")
    assert outputs(tmp_path, "any-language")["sum"]["total"] == 55


def test_bike(tmp_path: Path) -> None:
    real = os.environ.get("MLWF_BIKE_TABLE")
    table = Path(real) if real else tmp_path / "bike.csv"
    if not real:
        make_bike().to_csv(table, index=False)
    mlwf(tmp_path, "run", "examples/bike.yaml", "-p", f"table={table}")
    steps = outputs(tmp_path, "bike")
    assert steps["evaluate-random"]["rmse"] < steps["evaluate-by-time"]["rmse"]
    if real:
        assert steps["evaluate-random"]["rmse"] <= 48
        assert steps["evaluate-by-time"]["rmse"] == pytest.approx(68.6, abs=4)


def test_a_gate_that_fails_keeps_its_report(tmp_path: Path) -> None:
    environ = {**os.environ, "MLWF_HOME": str(tmp_path), "MLWF_LOCAL": "1"}
    command = [Path(sys.executable).parent / "mlwf", "run", "examples/digits.yaml", "-p", "accuracy=0.999"]
    done = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert done.returncode == 1
    assert "GateFailed" in done.stdout + done.stderr
    steps = {
        step["name"]: step for step in json.loads(mlwf(tmp_path, "get", "digits", "-o", "json"))["status"]["steps"]
    }
    assert (steps["evaluate"]["phase"], steps["evaluate"]["reason"]) == ("Failed", "GateFailed")
    assert 0.93 <= steps["evaluate"]["outputs"]["accuracy"] < 0.999
    mlwf(tmp_path, "download", "digits", "evaluate.report", str(tmp_path / "report.html"))
    assert "0.999" in (tmp_path / "report.html").read_text()
