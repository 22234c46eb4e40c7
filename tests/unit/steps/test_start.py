"""A kind begins its work early: what it imports before that is what the kind needs, and nothing that only some of its steps do."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from mlworkflow_steps import starting
from mlworkflow_steps.__main__ import KINDS

ROOT = Path(__file__).parents[3]
TABLES = {"numpy", "pandas", "pyarrow"}
MODELS = TABLES | {"scipy", "sklearn"}
MAY = {
    "environment": set(),
    "evaluate": MODELS,
    "git": {"dulwich", "urllib3"},
    "import": set(),
    "predict": MODELS | {"pandera"},
    "prep": TABLES,
    "profile": TABLES,
    "python": set(),
    "rehearse": set(),
    "study": TABLES,
    "train": MODELS,
    "validate": TABLES | {"scipy", "pandera"},
}
"""The libraries that a kind may have imported when its work begins, of those that are not Python's own and take their time."""
HEAVY = sorted(
    set().union(*MAY.values())
    | {
        "catboost",
        "imblearn",
        "lightgbm",
        "matplotlib",
        "onnx",
        "optuna",
        "polars",
        "skl2onnx",
        "skops",
        "torch",
        "xgboost",
    }
)
LOOK = f"""
import json, os, sys
from mlworkflow_steps.__main__ import KINDS, module_of, prepare
prepare()
found = {{}}
for kind in KINDS:
    reader, writer = os.pipe()
    if not os.fork():
        module_of(kind)
        os.write(writer, json.dumps([name for name in {HEAVY!r} if name in sys.modules]).encode())
        os._exit(0)
    os.close(writer)
    with open(reader) as said:
        found[kind] = json.load(said)
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def imported() -> dict[str, list[str]]:
    """What is there when the work of each kind begins: each in a process of its own, made from one that has imported nothing yet."""
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "steps")}
    done = subprocess.run([sys.executable, "-c", LOOK], env=environ, capture_output=True, text=True, check=True)
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def test_a_step_knows_how_old_its_container_is(capfd: pytest.CaptureFixture[str]) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        young, old = starting.age_of(process.pid), starting.age_of(os.getpid())
        process.communicate(b"\n")
    assert young is not None
    assert old is not None
    assert -0.02 <= young <= old
    assert starting.age_of(process.pid) is None, "it is gone"
    starting.tell("train")
    assert re.fullmatch(r"train begins \d+\.\d\d s after its container\n", capfd.readouterr().err)


def test_every_kind_is_looked_at() -> None:
    assert sorted(MAY) == KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_imports_no_more_than_it_needs(imported: dict[str, list[str]], kind: str) -> None:
    assert set(imported[kind]) <= MAY[kind]
