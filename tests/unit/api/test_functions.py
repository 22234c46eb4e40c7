"""A function as a step: what its annotations say, and the text that travels."""

from __future__ import annotations

import functools
import json as j
import math
import os.path
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, NotRequired, TypedDict

import mlworkflow as mlwf
import pandas as pd
import pytest
from mlworkflow import step as a_step
from mlworkflow.api.code import source_of
from mlworkflow.api.functions import returned
from mlworkflow_steps import Model

LIMIT = 3
NAMES = {"b", "a"}
DEFAULTS = {"x": [1, (2, "z")]}
TABLE = pd.DataFrame({"a": [1]})


class Cleaned(TypedDict):
    table: pd.DataFrame
    dropped: int
    notes: NotRequired[dict[str, Any]]


class Helper:
    def twice(self, x: int) -> int:
        return double(x) + LIMIT


def double(x: int) -> int:
    return 2 * x


@functools.lru_cache
def cached(x: int) -> int:
    return math.floor(x) if x > 0 else len(NAMES)


@mlwf.step(
    retry={"limit": 2},
)
def main(x: int = LIMIT) -> int:
    """Of helpers, constants and imports."""
    return Helper().twice(x) + cached(x) + len(j.dumps(DEFAULTS)) + len(os.path.basename("a/b"))


@a_step
def clean(raw: pd.DataFrame, longest: float = 90) -> Cleaned:
    return {"table": raw, "dropped": main()}


def used_in_a_step(source: str, function: str, *args: Any) -> Any:
    """What the text gives in a process that has nothing else of this module."""
    script = f"{source}\nimport json as _json\nprint(_json.dumps({function}(*{args!r})))"
    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return j.loads(done.stdout)


def test_the_text_stands_by_itself() -> None:
    source = source_of(main.__wrapped__, "x")
    assert used_in_a_step(source, "main", 5) == main(5)
    assert "mlwf" not in source
    assert source == source_of(main.__wrapped__, "x")
    assert "NAMES = {'a', 'b'}" in source


def test_a_step_that_uses_a_step_and_a_typed_dict() -> None:
    source = source_of(clean.__wrapped__, "x")
    for text in ("import pandas as pd", "class Cleaned(TypedDict):", "def main(x: int = LIMIT)", "from typing import"):
        assert text in source
    assert "@" not in source.replace("@functools", "")


def test_a_function_within_a_function() -> None:
    factor = 4

    def scaled(x: int) -> int:
        return x * factor

    assert used_in_a_step(source_of(scaled, "x"), "scaled", 3) == 12


def test_submodules_that_an_import_of_the_package_does_not_bring(tmp_path: Path) -> None:
    module = module_of(
        tmp_path, "import xml.dom.minidom\n\ndef f(t: str) -> str:\n    return xml.dom.minidom.parseString(t).toxml()\n"
    )
    source = source_of(module.f, "x")
    assert "import xml.dom.minidom" in source
    assert used_in_a_step(source, "f", "<a/>") == '<?xml version="1.0" ?><a/>'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import pandas as pd\nT = pd.DataFrame()\ndef f(x: int) -> int:\n    return len(T)\n", r"f uses 'T', a pandas\..*DataFrame of its module; only text travels: take it as an argument"),
        ("def f(x: int) -> int:\n    return nobody(x)\n", "f uses 'nobody', which is not defined"),
        ("f = lambda x: x\n", "define it"),
        ("import tests.bike as bike\ndef f(x: int) -> int:\n    return bike.make_bike(x)\n", r"f uses 'tests\.bike', a file of your own"),
    ],
)  # fmt: skip
def test_what_has_no_text_is_named_with_the_way_out(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(mlwf.SpecError, match=r"steps\.f\.python\.source: .*" + message):
        source_of(module_of(tmp_path, text).f, "steps.f.python.source")


def module_of(folder: Path, text: str) -> Any:
    """A module in a file of its own."""
    (folder / "written.py").write_text(text)
    module = ModuleType("written")
    module.__file__ = str(folder / "written.py")
    sys.modules["written"] = module
    exec(compile(text, module.__file__, "exec"), vars(module))
    return module


def one(x: int) -> float: ...
def table(x: int) -> pd.DataFrame: ...
def path(x: int) -> Path: ...
def model(x: int) -> Model: ...
def nothing(x: int) -> None: ...
def maybe(x: int) -> pd.DataFrame | None: ...
def listed(x: int) -> list[int]: ...
def a_dict(x: int) -> dict[str, Any]: ...
def unsaid(x: int): ...  # type: ignore[no-untyped-def]


@pytest.mark.parametrize(
    ("function", "outputs"),
    [
        (one, {"result": {"type": "number"}}),
        (table, {"result": {"type": "file"}}),
        (path, {"result": {"type": "artifact"}}),
        (model, {"result": {"type": "artifact"}}),
        (nothing, {}),
        (a_dict, {}),
        (unsaid, {}),
        (maybe, {"result": {"type": "file", "optional": True}}),
        (listed, {"result": {"type": "json"}}),
        (clean.__wrapped__, {"table": {"type": "file"}, "dropped": {"type": "integer"}, "notes": {"type": "json", "optional": True}}),
    ],
)  # fmt: skip
def test_outputs_follow_from_the_annotation(function: Any, outputs: dict[str, Any]) -> None:
    assert returned(function, "x") == outputs


def test_arguments_are_inputs_or_parameters_as_what_they_are_given_says() -> None:
    with mlwf.Workflow("w", params={"longest": 80}) as wf:
        prep = mlwf.prep(source={"sklearn": "iris"}, target="target")
        first = clean(prep.train, longest=wf.params.longest)
        second = clean.with_options(name="again", retry={"limit": 1}, requirements=["pandas>=2"])(raw=first.table)
        main.named("count")(x=second.dropped)
    wf.check()
    raws = {step["name"]: step for step in wf.spec["steps"]}
    assert raws["clean"]["inputs"] == {"raw": {"from": "prep.train"}}
    assert raws["clean"]["params"] == {"longest": "${{ params.longest }}"}
    assert raws["again"]["inputs"] == {"raw": {"from": "clean.table"}}
    assert raws["again"]["retry"] == {"limit": 1}
    assert raws["again"]["python"]["requirements"] == ["pandas>=2"]
    assert raws["count"]["params"] == {"x": "${{ steps.again.outputs.dropped }}"}
    assert raws["count"]["retry"] == {"limit": 2}
    assert raws["clean"]["python"]["source"] == raws["again"]["python"]["source"]


def test_outside_of_a_workflow_it_is_the_function() -> None:
    assert main(5) == 6 * 2 - 2 + LIMIT + 5 + len(j.dumps(DEFAULTS)) + 1
    assert main.__doc__ == "Of helpers, constants and imports."


def test_wrong_arguments() -> None:
    with mlwf.Workflow("w"), pytest.raises(mlwf.SpecError, match=r"steps\.main: main\(\): .*'y'"):
        main(y=3)
    with mlwf.Workflow("w"), pytest.raises(mlwf.SpecError, match=r"steps\.clean\.params\.raw: is a builtins\.slice"):
        clean(raw=slice(1))
