"""`python`: what a function is given by its annotations, what becomes of what it returns, and what its author reads when it fails."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from mlworkflow_steps import Model, load
from mlworkflow_steps.context import Context
from mlworkflow_steps.data.table import Table, read_table, write_table
from mlworkflow_steps.errors import StepFailure
from mlworkflow_steps.usercode.arguments import arguments_for, frames_of
from mlworkflow_steps.usercode.results import leave
from sklearn.base import BaseEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

STEPS = Path(__file__).parents[3] / "steps"
FRAME = pd.DataFrame({"a": [1, 2, 3], "b": [0.5, 1.5, 2.5]})


@dataclass(frozen=True, slots=True)
class Ran:
    """A step that has ended."""

    root: Path
    code: int
    log: str

    @property
    def failure(self) -> str:
        said = json.loads((self.root / "run/failure.json").read_text())
        return f"{said['reason']}: {said['message']}"

    def param(self, name: str) -> Any:
        return json.loads((self.root / "out/params" / name).read_text())


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Ran]:
    """Runs code as its agent would, called from a folder that has a module in it."""

    def run(source: str, params: Mapping[str, Any] | None = None, outputs: str = "", inputs: Mapping[str, str] | None = None, **more: Any) -> Ran:  # fmt: skip
        root = tmp_path / "root"
        for folder in ("in", "out", "run"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        for name, text in (inputs or {}).items():
            (root / "in" / name).write_text(text)
        (tmp_path / "beside.py").write_text("")
        environ = more.pop("environ", {})
        body = {"source": textwrap.dedent(source), **more} if source else more
        task = {
            "workflow": {"name": "w"}, "step": "s", "spec": body, "params": params or {},
            "inputs": {name: {"digest": "sha256:0"} for name in inputs or {}},
            "outputs": {name: {"type": "artifact"} for name in outputs.split()},
        }  # fmt: skip
        (root / "run/task.json").write_text(json.dumps(task))
        env = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(STEPS),
            "MLWF_TASK": str(root / "run/task.json"),
            **environ,
        }
        done = subprocess.run(
            [sys.executable, "-m", "mlworkflow_steps", "python"], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        return Ran(root, done.returncode, done.stdout + done.stderr)

    return run


def test_a_function_is_called_and_what_it_returns_is_left(run: Callable[..., Ran]) -> None:
    done = run(
        """
        import json, sys
        from pathlib import Path

        def main(words: dict, times: int, *, note: str = "none", scale: float = 1):
            Path("made").mkdir()
            Path("made/x.txt").write_text("x" * times)
            return {"made": Path("made"), "again": Path(sys.modules["clean"].__file__), "facts": words, "total": sum(words.values()) * scale}
        """,
        {"times": 3.0},
        "made facts again",
        {"words": '{"a": 1, "b": 2}'},
        file="clean.py",
    )
    assert done.code == 0, done.log
    assert (done.root / "out/made/x.txt").read_text() == "xxx"
    assert json.loads((done.root / "out/facts").read_text()) == {"a": 1, "b": 2}
    assert "def main(words" in (done.root / "out/again").read_text()
    assert done.param("total") == 3
    assert sorted(path.name for path in done.root.iterdir()) == ["in", "out", "run"], "nothing else is left"


def test_an_error_is_told_as_its_author_would_read_it(run: Callable[..., Ran]) -> None:
    done = run(
        """
        def inner(x):
            return {}[x]

        def main(speed: int):
            print("before")
            return inner(speed)
        """,
        {"speed": 7},
        file="clean.py",
    )
    assert done.code == 1
    assert done.failure == "Error: KeyError: 7 (clean.py:3, in inner)"
    assert done.log.index("before") < done.log.index("Traceback (most recent call last)")
    assert done.log.count("  File ") == 2, "the frames of the user's own code alone"
    assert "return inner(speed)" in done.log


@pytest.mark.parametrize(
    ("source", "more", "said"),
    [
        ("def main(): return 1 +", {}, "Error: SyntaxError: invalid syntax (step.py:1)"),
        ("import beside\ndef main(): ...", {}, "Error: ModuleNotFoundError: No module named 'beside' (step.py:1, in <module>)"),
        ("def go(): ...", {}, "CodeInvalid: step.py has no function main(); it has: go"),
        ("def main(x: int): ...", {}, "CodeInvalid: main() needs 'x': give it by `inputs` or `params`"),
        ("def main(x: 'Nope' = 1): ...", {"params": {"x": 1}}, "CodeInvalid: the annotations of main() cannot be read: NameError: name 'Nope' is not defined"),
        ("", {"configMap": {"name": "n", "key": "k.py"}}, "SpecInvalid: python.configMap: is of a cluster, and this is none: a local run takes `file`"),
        ("", {"configMap": {"name": "n", "key": "k.py", "sha256": "0" * 64}, "environ": {"MLWF_CODE": "def main(): ..."}}, "CodeInvalid: python.configMap.sha256: the code has 54"),
        ("def main(): return open('/nowhere')", {}, "Error: FileNotFoundError: [Errno 2] No such file or directory: '/nowhere' (step.py:1, in main)"),
    ],
)  # fmt: skip
def test_what_goes_wrong_names_what_is_to_be_mended(run: Callable[..., Ran], source: str, more: dict[str, Any], said: str) -> None:  # fmt: skip
    done = run(source, **more)
    assert (done.code, done.failure[: len(said)]) == (1, said)


def test_a_script_finds_what_any_step_finds_and_its_exit_code_is_the_steps(run: Callable[..., Ran]) -> None:
    code = "import os, sys, pathlib\nassert __name__ == '__main__'\npathlib.Path('x').write_text('')\nprint(os.environ['MLWF_TASK'])\nsys.exit(3)"
    done = run("", configMap={"name": "n", "key": "k.py"}, script=True, environ={"MLWF_CODE": code})
    assert done.code == 3
    assert "task.json" in done.log
    assert not (done.root / "run/failure.json").exists()


def test_no_library_is_imported_that_the_code_does_not_import(run: Callable[..., Ran]) -> None:
    done = run(
        "import sys\ndef main(x: str): return {'heavy': sorted({'numpy', 'pandas', 'sklearn', 'pyarrow'} & set(sys.modules))}",
        {"x": "a"},
    )
    assert done.code == 0, done.log
    assert done.param("heavy") == []


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    write_table(Table(FRAME, "b", "regression"), tmp_path / "table")
    FRAME.to_csv(tmp_path / "rows.csv", index=False)
    (tmp_path / "text").write_text("[1]")
    fan = tmp_path / "fan"
    (fan / "0001").mkdir(parents=True)
    write_table(Table(FRAME), fan / "0000")
    (fan / "index.json").write_text(json.dumps([{"path": "0000"}, {"path": None}, {"path": "0000"}]))
    return {path.name.partition(".")[0]: path for path in tmp_path.iterdir()}


def test_an_argument_is_what_its_annotation_says(files: dict[str, Path]) -> None:
    def main(
        table: pd.DataFrame, rows: pa.Table, fan: list[pd.DataFrame], text: list[int], where: Path, words: str, raw: bytes, any_: Any,
        ratio: float, count: int | None, mode: str = "x", other: pd.DataFrame | None = None,
    ) -> None: ...  # fmt: skip

    inputs = {**files, "where": files["fan"], "words": files["text"], "raw": files["text"], "any-": files["text"]}
    given = arguments_for(main, inputs, {"ratio": 1, "count": None})
    pd.testing.assert_frame_equal(given["table"], FRAME)
    assert given["table"].attrs == {"target": "b", "task": "regression"}
    assert given["rows"].column_names == ["a", "b"]
    assert [len(frame) for frame in given["fan"]] == [3, 3]
    assert (given["text"], given["where"], given["words"], given["raw"]) == ([1], files["fan"], "[1]", b"[1]")
    assert given["any_"] == files["text"]
    assert isinstance(given["ratio"], float)
    assert given["count"] is None
    assert {"mode", "other"}.isdisjoint(given)


@pytest.mark.parametrize(
    ("annotation", "inputs", "params", "said"),
    [
        (int, "text", {}, "InputInvalid: 'x' is to be int; the input is JSON of type list"),
        (dict, "table", {}, "InputInvalid: 'x' is to be text, and the input is not UTF-8: take it as bytes or Path"),
        (
            complex,
            "text",
            {},
            "CodeInvalid: 'x' is to be complex, which no input can be: take pandas.DataFrame, Path, mlworkflow_steps.Model,",
        ),
        (BaseEstimator, "text", {}, "ModelInvalid: "),
        (int, "", {"x": "7"}, "ParamInvalid: params.x is '7', and 'x' is to be int"),
        (bool, "", {"x": 1}, "ParamInvalid: params.x is 1, and 'x' is to be bool"),
        (list[str], "", {"x": {}}, "ParamInvalid: params.x is {}, and 'x' is to be list[str]"),
    ],
)
def test_what_cannot_be_given_is_named(files: dict[str, Path], annotation: Any, inputs: str, params: dict[str, Any], said: str) -> None:  # fmt: skip
    def main(x: int) -> None: ...

    main.__annotations__["x"] = annotation
    with pytest.raises(StepFailure) as caught:
        arguments_for(main, dict.fromkeys("x", files[inputs]) if inputs else {}, params)
    assert f"{caught.value.reason}: {caught.value.message}".startswith(said)


def test_the_model_of_a_bundle(forest: Any, digits: Any) -> None:
    def main(model: BaseEstimator) -> None: ...

    def whole(model: Model) -> None: ...

    def other(model: SVC) -> None: ...

    assert (
        arguments_for(main, {"model": forest.output("model")}, {})["model"].get_params()["forest__n_estimators"] == 60
    )
    given = arguments_for(whole, {"model": forest.output("model")}, {})["model"]
    assert len(given.predict(read_table(digits.output("test")).frame.head())) == 5
    with pytest.raises(StepFailure, match=r"'model' is to be sklearn.SVC; the model is sklearn.Pipeline"):
        arguments_for(other, {"model": forest.output("model")}, {})


@pytest.fixture
def context(tmp_path: Path) -> Callable[..., Context]:
    def context(**declared: str) -> Context:
        (tmp_path / "out").mkdir()
        return Context(
            workflow="w", step="s", spec={}, digests={}, inputs=tmp_path / "in", outputs=tmp_path / "out", metrics=tmp_path / "m", failure=tmp_path / "f",
            allowed_imports=(), s3_endpoint="", declared={name: {"type": type_} for name, type_ in declared.items()},
        )  # fmt: skip

    return context


def test_the_best_of_several_models_is_passed_on_as_it_is(context: Callable[..., Context], forest: Any, tmp_path: Path) -> None:  # fmt: skip
    bundle, fan = forest.output("model"), tmp_path / "in/models"
    shutil.copytree(bundle, fan / "0001")
    (fan / "index.json").write_text(json.dumps([{"path": None}, {"path": "0001"}]))

    def main(models: list[Model]) -> None: ...

    (model,) = arguments_for(main, {"models": fan}, {})["models"]
    leave(context(best="artifact"), "main", model)
    names = sorted(path.name for path in bundle.iterdir())
    assert sorted(path.name for path in (tmp_path / "out/best").iterdir()) == names
    assert all((tmp_path / "out/best" / name).read_bytes() == (bundle / name).read_bytes() for name in names)
    assert (fan / "0001/bundle.json").exists(), "an input stays as it is"


def test_a_fitted_estimator_becomes_a_bundle(context: Callable[..., Context], tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1, 2, 3, 4] * 5, "b": [0.5, 1.5, 2.5, 3.0] * 5, "y": ["n", "n", "y", "y"] * 5})
    model = LogisticRegression().fit(frame[["a", "b"]], frame["y"])
    leave(context(model="artifact"), "main", model, {"raw": frame})
    loaded = load(tmp_path / "out/model")
    assert (loaded.task, loaded.manifest.target, loaded.classes, loaded.manifest.features) == (
        "classification",
        "y",
        ["n", "y"],
        ["a", "b"],
    )
    assert loaded.predict(frame.head(4)).tolist() == ["n", "n", "y", "y"]


@pytest.mark.parametrize(
    ("estimator", "task"), [(LinearRegression(), "multioutput"), (DecisionTreeClassifier(), "multilabel")]
)
def test_one_of_several_targets_becomes_one_too(
    context: Callable[..., Context], tmp_path: Path, estimator: Any, task: str
) -> None:
    frame = pd.DataFrame(
        {"a": [1, 2, 3, 4] * 5, "b": [0.5, 1.5, 2.5, 3.0] * 5, "y": [0, 0, 1, 1] * 5, "z": [0, 1, 1, 0] * 5}
    )
    frame.attrs["target"] = ["y", "z"]
    model = estimator.fit(frame[["a", "b"]], frame[["y", "z"]])
    leave(context(model="artifact"), "main", model, {"raw": frame})
    loaded = load(tmp_path / "out/model")
    assert (loaded.task, loaded.manifest.target, loaded.manifest.outputs) == (task, ["y", "z"], ["y", "z"])
    assert loaded.predict(frame).tolist() == model.predict(frame[["a", "b"]]).tolist()


def test_the_training_table_is_known_although_the_function_takes_its_target_out() -> None:
    frame = FRAME.copy()
    kept = frames_of({"table": frame, "rows": 3, "arrow": pa.table({"n": [1]})})
    frame.pop("b")
    frame["c"] = 1
    assert {name: list(one) for name, one in kept.items()} == {"table": ["a", "b"]}


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (None, "output 'model': sklearn.LogisticRegression cannot be stored: it was fitted to a, b, and no argument of main() is a data frame with these columns"),
        (pd.DataFrame({"a": [1, 2], "b": [1, 2], "y": [0, 1], "z": [0, 1]}), "output 'model': sklearn.LogisticRegression cannot be stored: which column is the target? Say `raw.attrs[\"target\"] = …`, of several a list; there are y, z"),
    ],
)  # fmt: skip
def test_an_estimator_of_which_too_little_is_known(context: Callable[..., Context], frame: Any, said: str) -> None:
    model = LogisticRegression().fit(pd.DataFrame({"a": [1, 2], "b": [1, 2]}), [0, 1])
    with pytest.raises(StepFailure) as caught:
        leave(context(model="artifact"), "main", {"model": model}, {} if frame is None else {"raw": frame})
    assert caught.value.message.startswith(said)


def test_the_one_output_needs_no_name(context: Callable[..., Context], tmp_path: Path) -> None:
    frame = FRAME.copy()
    frame.attrs.update(target="b", task="regression")
    leave(context(table="artifact"), "main", frame[frame.a > 1])
    left = read_table(tmp_path / "out/table")
    assert (left.frame.a.tolist(), list(left.frame), left.target, left.task) == ([2, 3], ["a", "b"], "b", "regression")


def test_outputs_by_name(context: Callable[..., Context], tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text("as it is")
    given = {
        "groups": FRAME.assign(g=["x", "x", "y"]).groupby("g").sum(), "described": FRAME.describe(), "arrow": pa.table({"n": [1]}),
        "text": "words", "raw": b"\x00", "facts": {"a": [1]}, "kept": kept,
        "count": FRAME.a.sum(), "share": 0.5, "name": "7", "shape": [2, 3], "free": None,
    }  # fmt: skip
    types = {"count": "integer", "share": "number", "name": "string"}
    artifacts = ("groups", "described", "arrow", "text", "raw", "facts", "kept")
    leave(context(**dict.fromkeys(artifacts, "artifact"), **types), "main", given)
    out = tmp_path / "out"
    assert list(read_table(out / "groups").frame) == ["g", "a", "b"]
    assert list(read_table(out / "described").frame) == ["index", "a", "b"]
    assert read_table(out / "arrow").frame.n.tolist() == [1]
    assert [(out / name).read_bytes() for name in ("text", "raw", "kept")] == [b"words", b"\x00", b"as it is"]
    params = {path.name: path.read_text() for path in (out / "params").iterdir()}
    assert params == {"count": "6", "share": "0.5", "name": "7", "shape": "[2, 3]", "free": "null"}


@pytest.mark.parametrize(
    ("declared", "value", "said"),
    [
        ({"x": "artifact"}, {"x": object()}, "output 'x': object cannot be stored: return a pathlib.Path of a file that you have written, a data frame,"),
        ({"x": "artifact"}, {"x": 5}, "output 'x': int cannot be stored: it is a parameter: declare `type: integer`"),
        ({"x": "artifact"}, {"x": None}, "output 'x': NoneType cannot be stored: return something, or declare it `optional: true`"),
        ({"x": "artifact"}, {"x": Path("/nowhere")}, "output 'x': there is no file or folder '/nowhere'"),
        ({"x": "artifact"}, {"y": FRAME}, "main() returned 'y' (pandas.DataFrame), which is not among the step's outputs (x): declare it: `outputs: {y: {}}`"),
        ({"x": "artifact", "y": "artifact"}, FRAME, "main() returned pandas.DataFrame, and the step declares 2 outputs: return a dict with a value for each of: x, y"),
        ({}, FRAME, "main() returned pandas.DataFrame, and the step declares 0 outputs: declare it: `outputs: {NAME: {}}`"),
        ({"x": "number"}, {"x": float("nan")}, "output 'x' is nan, which JSON cannot hold: leave None, or a text"),
        ({"x": "json"}, {"x": {1, 2}}, "output 'x' is a parameter, and set is not one: TypeError: Object of type set is not JSON serializable"),
        ({"x": "artifact"}, {3: 1}, "main() returned a dict with the key 3; its keys are the names of outputs"),
    ],
)  # fmt: skip
def test_what_cannot_be_stored_names_the_output_and_its_type(context: Callable[..., Context], declared: dict[str, str], value: Any, said: str) -> None:  # fmt: skip
    with pytest.raises(StepFailure) as caught:
        leave(context(**declared), "main", value)
    assert caught.value.reason == "OutputInvalid"
    assert caught.value.message.startswith(said)
