"""`train`: an attempt that is killed costs what was under way, and changes nothing about the result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.steps.training import FOREST, Trained, as_process, ended, killed_when, rows, train_here

SPEC = {"estimator": {**FOREST, "params": {"n_estimators": 60}}, "cv": 6, "seed": 4}


def test_a_cross_validation_goes_on_where_it_was_killed(tmp_path: Path) -> None:
    table = rows(1500)[["a", "b", "y"]]
    checkpoint = tmp_path / "checkpoint"
    killed_when(
        as_process(tmp_path / "killed", SPEC, checkpoint, train=table),
        lambda: len(list(checkpoint.glob("*/fold-*.json"))) > 1,
    )
    said = ended(as_process(tmp_path / "goes-on", SPEC, checkpoint, train=table))
    assert "fold-2: known from the attempt before" in said
    assert "fold-6: known" not in said
    ended(as_process(tmp_path / "whole", SPEC, tmp_path / "other", train=table))
    resumed, whole = Trained(tmp_path / "goes-on"), Trained(tmp_path / "whole")
    assert resumed.bytes() == whole.bytes()
    assert resumed.params == whole.params
    assert resumed.series("fold_accuracy") == whole.series("fold_accuracy")


@pytest.mark.parametrize("change", ["spec", "table"])
def test_what_another_spec_or_table_has_left_is_of_no_use(change: str, tmp_path: Path, capsys: Any) -> None:
    spec, table = {"estimator": FOREST, "cv": 2}, rows()[["a", "b", "y"]]
    train_here(tmp_path, spec, train=table)
    capsys.readouterr()
    train_here(
        tmp_path,
        {**spec, "seed": 1} if change == "spec" else spec,
        train=table.head(100) if change == "table" else table,
    )
    assert "known from the attempt before" not in capsys.readouterr().out
    assert len(list((tmp_path / "checkpoint").iterdir())) == 1
