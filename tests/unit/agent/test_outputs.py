"""Parameters in, output parameters and artifacts out, metrics on the way."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from mlworkflow_steps.agent import params
from mlworkflow_steps.agent.errors import StepFailure
from mlworkflow_steps.agent.folders import Folders
from mlworkflow_steps.agent.metrics import Forwarder, Tail
from mlworkflow_steps.agent.outputs import collect


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    made = Folders(str(tmp_path / "root"))
    made.create()
    return made


def left(folders: Folders, data: bytes | str) -> None:
    Path(folders.output_params, "p").write_bytes(data.encode() if isinstance(data, str) else data)


def declared(kind: str, *, optional: bool = False) -> dict[str, dict[str, Any]]:
    return {"p": {"type": kind, "optional": optional}}


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("string", "a\n\n", "a\n"), ("string", '"a"', '"a"'), ("string", "", ""), ("string", "3", "3"),
        ("number", "0.5\n", 0.5), ("number", "3", 3), ("number", "1e3", 1000.0), ("integer", " 3 ", 3),
        ("boolean", "true", True), ("json", '{"a": [1]}', {"a": [1]}), ("json", "null", None),
        ("", "3", 3), ("", "hello\n", "hello"), ("", "NaN", "NaN"), ("", "[1,", "[1,"), ("", "", ""),
    ],
)  # fmt: skip
def test_a_parameter_by_its_declared_type(folders: Folders, kind: str, text: str, value: Any) -> None:
    left(folders, text)
    found = collect(declared(kind) if kind else {}, folders).parameters["p"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("number", "true"), ("number", "NaN"), ("number", "1e999"), ("number", '"3"'), ("number", ""), ("integer", "3.0"),
        ("integer", "true"), ("boolean", "1"), ("json", "{"), ("json", "[" * 100_000), ("string", b"\xff"),
        ("string", "x" * ((1 << 20) + 1)), ("json", '"\\ud83d"'), ("json", '{"\\uDE00": 1}'), ("", b"\xff"), ("", "x" * ((1 << 20) + 1)),
        ("json", "[1e400]"), ("json", "9" * 5000),
    ],
)  # fmt: skip
def test_a_parameter_that_is_not_what_was_declared(folders: Folders, kind: str, data: bytes | str) -> None:
    left(folders, data)
    with pytest.raises(StepFailure, match="params/p: ") as caught:
        collect(declared(kind) if kind else {}, folders)
    assert caught.value.reason == "OutputInvalid"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"x" * ((1 << 20) + 1), "params/p: more than 1 MiB: make it an artifact"),
        (b'"a\\uD800b"', "params/p: not JSON: a string holds half of a surrogate pair, \\ud800"),
        (b"ok\xff", "params/p: not UTF-8 at byte 2: make it an artifact"),
        (b"[1e400]", "params/p: not JSON: 1e400 is not a number that JSON can hold"),
    ],
)
def test_a_value_that_cannot_be_passed_on_says_why(folders: Folders, data: bytes, words: str) -> None:
    left(folders, data)
    with pytest.raises(StepFailure) as caught:
        collect(declared("json"), folders)
    assert str(caught.value) == words


def test_an_optional_parameter_may_miss(folders: Folders) -> None:
    assert collect(declared("number", optional=True), folders).parameters == {}


@pytest.mark.parametrize(
    ("kind", "make", "words"),
    [
        ("file", Path.mkdir, "declared as file, found a directory"),
        ("directory", Path.touch, "declared as directory, found a file"),
        ("artifact", os.mkfifo, "neither a file nor a directory"),
        ("artifact", lambda path: path.symlink_to("/etc/hostname"), "leads out"),
        ("artifact", lambda path: path.symlink_to("../run/params.json"), "leads out"),
        ("artifact", lambda path: path.symlink_to("nothing"), "neither a file nor a directory"),
    ],
)
def test_an_artifact_that_is_not_what_was_declared(folders: Folders, kind: str, make: Any, words: str) -> None:
    make(Path(folders.outputs, "m"))
    with pytest.raises(StepFailure, match=words):
        collect({"m": {"type": kind, "optional": True}}, folders)


def test_a_link_within_the_outputs_is_followed(folders: Folders) -> None:
    Path(folders.outputs, "real").write_text("x")
    Path(folders.outputs, "m").symlink_to("real")
    assert collect({"m": {"type": "file"}}, folders).artifacts == {"m": str(Path(folders.outputs, "real").resolve())}


def test_params_in_the_environment() -> None:
    given = {
        "a-b": "x\ny",
        "n": 1.5,
        "l": [1, "ü"],
        "t": True,
        "none": None,
        "nul": "a\0b",
        "big": "x" * 32769,
        "edge": "x" * 32768,
    }
    found = params.environment(given)
    assert found.pop("MLWF_PARAM_EDGE") == "x" * 32768
    assert found == {
        "MLWF_PARAM_A_B": "x\ny", "MLWF_PARAM_N": "1.5", "MLWF_PARAM_L": '[1, "ü"]', "MLWF_PARAM_T": "true", "MLWF_PARAM_NONE": "null",
    }  # fmt: skip
    assert json.loads(params.document(given)) == given


def test_the_environment_stays_startable() -> None:
    given = {f"long{n}": "x" * 32768 for n in range(40)} | {f"short{n}": n for n in range(100)}
    found = params.environment(given)
    assert sum(map(len, found.values())) <= 1 << 20
    assert {f"MLWF_PARAM_SHORT{n}" for n in range(100)} <= found.keys()
    assert len(found) >= 130


def test_metrics_are_read_line_by_line_as_they_grow(tmp_path: Path) -> None:
    complaints: list[str] = []
    path = tmp_path / "metrics.jsonl"
    tail = Tail(str(path), complaints.append)
    assert tail.points() == []
    with path.open("a") as file:
        file.write('{"name": "a", "value": 1}\n{"name": "a", "val')
        file.flush()
        assert [p["value"] for p in tail.points()] == [1.0]
        assert tail.points() == []
        file.write(
            'ue": 2, "step": 3}\n[]\n{"name": "", "value": 1}\n{"name": "b", "value": "1"}\n\n{"name": "b", "value": 1e999}\n'
        )
        file.write('{"name": "last", "value": 7}')
    assert tail.points() == [
        {"name": "a", "value": 2.0, "step": 3.0},
        {"name": "b", "value": None, "step": None},
    ]
    assert [p["name"] for p in tail.points(final=True)] == ["last"]
    assert tail.last == {"a": 2.0, "last": 7.0}
    assert [c.split()[2] for c in complaints] == ["3", "4", "5"]


def test_metrics_wait_for_a_gateway_that_is_away(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(f'{{"name": "a", "value": {n}}}\n' for n in range(2500)))
    sent: list[int] = []
    away = [True]
    stops: list[str] = []

    def send(points: list[dict[str, Any]], first: int, heard: int) -> dict[str, Any]:
        if away[0]:
            raise OSError("away")
        sent.append(len(points))
        return {"stop": True}

    forwarder = Forwarder(Tail(str(path), print), send, lambda: stops.append("stop"))
    forwarder.close()
    assert sent == []
    away[0] = False
    forwarder.close()
    assert (sent, stops) == ([1000, 1000, 500], ["stop"])


def test_a_gateway_that_knows_nothing_is_told_everything_again_and_what_it_has_answered(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"name": "a", "value": 0, "step": 0}\nnonsense\n')
    sent: list[tuple[list[int], int, int]] = []
    complaints: list[str] = []
    known: set[int] = set()

    def send(points: list[dict[str, Any]], first: int, heard: int) -> dict[str, Any]:
        sent.append(([int(point["step"]) for point in points], first, heard))
        if first and first - 1 not in known:
            return {"stop": False, "again": True}
        known.update(range(first, first + len(points)))
        return {"stop": False, "again": False}

    forwarder = Forwarder(Tail(str(path), complaints.append), send, print, every=0.01)
    forwarder._flush()
    with path.open("a") as file:
        file.write('{"name": "a", "value": 1, "step": 1}\n')
    forwarder._flush()
    known.clear()  # the operator is another
    with path.open("a") as file:
        file.write('{"name": "a", "value": 2, "step": 2}\n')
    forwarder._flush()
    with path.open("a") as file:
        file.write('{"name": "a", "value": 3, "step": 3}')
    forwarder.close()
    assert sent == [([0], 0, 0), ([1], 1, 1), ([2], 2, 2), ([0, 1, 2], 0, 2), ([3], 3, 4)]
    assert len(complaints) == 1
