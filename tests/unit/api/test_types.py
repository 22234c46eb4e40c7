"""What an editor and a type checker see: the fields of kinds, and mistakes in them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
RIGHT = """
import mlworkflow as mlwf

with mlwf.Workflow("w", params={"seed": 1}) as wf:
    prep = mlwf.prep(source={"sklearn": "iris"}, target="target", split={"test": 0.3}, retry={"limit": 1})
    train = mlwf.train(train=prep.train, estimator="x.Y", cv={"folds": 3}, seed=wf.params.seed)
    mlwf.evaluate(model=train.model, test=prep.test, when=train["cv_accuracy"] > 0.5, after=[prep, "train"])
run: mlwf.Run = wf.run().wait(timeout=3)
reveal_type(run.trials())
reveal_type(run.steps["train"].outputs)
"""
WRONG = """
import mlworkflow as mlwf

mlwf.train(estimator="x.Y", cv={"fold_count": 3})
mlwf.train(estimator="x.Y", sed=7)
mlwf.prep(source={"sklearn": 3}, target="y")
mlwf.prep(source={"sklearn": "iris"})
mlwf.container(command="true", retry={"limit": "often"})
"""


def test_right_and_wrong_uses(tmp_path: Path) -> None:
    (tmp_path / "right.py").write_text(RIGHT)
    (tmp_path / "wrong.py").write_text(WRONG)
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--cache-dir", ".mypy_cache", "--config-file", "pyproject.toml"]  # fmt: skip
    done = subprocess.run([*command, tmp_path / "right.py", tmp_path / "wrong.py"], cwd=ROOT, capture_output=True, text=True)  # fmt: skip
    said = [line.partition("right.py:")[2] or line.partition("wrong.py:")[2] for line in done.stdout.splitlines()]
    notes, errors = [line for line in said if "note: Revealed" in line], [line for line in said if "error:" in line]
    assert len(notes) == 2, done.stdout
    assert "DataFrame" in notes[0]
    assert "dict[" in notes[1]
    assert sorted({line.partition(":")[0] for line in errors}) == ["4", "5", "6", "7", "8"], done.stdout
    assert all("right.py" not in line for line in done.stdout.splitlines() if "error:" in line)
