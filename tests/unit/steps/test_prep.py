"""`prep`, by what it leaves."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest


@pytest.fixture
def table(tmp_path: Path) -> Path:
    file = tmp_path / "table.csv"
    rows = [f"{i},{i * 0.5},{'ab'[i % 2]},{'yes' if i % 4 == 0 else 'no'},{100 - i}" for i in range(100)]
    file.write_text("n,x,kind,label,when\n" + "\n".join(rows) + "\n")
    return file


@pytest.fixture
def server(tmp_path: Path, table: Path) -> Iterator[str]:
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def spec_of(source: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"source": source, "target": "label", **fields}


def test_digits_are_split_70_to_30_with_every_class_in_both_parts(digits: Any) -> None:
    assert digits.code == 0, digits.log
    assert digits.params == {"rows": 1797, "train_rows": 1257, "test_rows": 540, "features": 64, "classes": 10}
    counts = pd.read_parquet(digits.output("test"))["target"].value_counts()
    assert counts.min() >= 52
    assert counts.max() <= 55
    profile = json.loads(digits.output("profile").read_text())
    assert profile["task"] == "classification"
    assert profile["classes"][3] == {"class": 3, "rows": 183, "train_rows": 128, "test_rows": 55}


def test_the_parquet_says_what_the_target_is_and_nothing_of_pandas(digits: Any) -> None:
    metadata = pq.read_schema(digits.output("train")).metadata
    assert json.loads(metadata[b"mlworkflow"]) == {"target": "target", "task": "classification"}
    assert b"pandas" not in metadata


def test_same_data_and_seed_give_the_same_bytes_and_another_seed_other_rows(run_step: Any, table: Path) -> None:
    first = run_step("prep", spec_of({"path": str(table)}), PYTHONHASHSEED="1")
    again = run_step("prep", spec_of({"path": str(table)}), PYTHONHASHSEED="2")
    other = run_step("prep", spec_of({"path": str(table)}, split={"seed": 1}))
    for name in ("train", "test", "profile"):
        assert first.digests(name) == again.digests(name)
    assert first.digests("test") != other.digests("test")


def test_path_url_file_url_and_input_are_the_same_table(run_step: Any, table: Path, server: str) -> None:
    by_path = run_step("prep", spec_of({"path": str(table)}))
    by_http = run_step("prep", spec_of({"url": f"{server}/table.csv"}))
    by_input = run_step("prep", spec_of({"input": "source"}), {"source": table})
    for other in (by_http, by_input, run_step("prep", spec_of({"url": table.as_uri()}))):
        assert other.code == 0, other.log
        assert {name: other.digests(name) for name in ("train", "profile")} == {
            name: by_path.digests(name) for name in ("train", "profile")
        }


def test_a_public_s3_object_is_read_at_the_endpoint(run_step: Any, table: Path, server: str) -> None:
    (table.parent / "bucket").mkdir()
    table.rename(table.parent / "bucket" / "table.csv")
    done = run_step("prep", spec_of({"s3": "s3://bucket/table.csv"}), MLWF_S3_ENDPOINT=server)
    assert done.code == 0, done.log
    assert done.params["rows"] == 100


def test_columns_are_chosen_and_typed(run_step: Any, table: Path) -> None:
    columns = {"exclude": ["when"], "types": {"kind": "category", "n": "float64"}}
    done = run_step("prep", spec_of({"path": str(table)}, columns=columns))
    frame = pd.read_parquet(done.output("train"))
    assert list(frame.columns) == ["n", "x", "kind", "label"]
    assert str(frame["kind"].dtype) == "category"
    assert str(frame["n"].dtype) == "float64"


@pytest.mark.parametrize(
    ("time", "expected"),
    [(True, range(70, 100)), ("when", range(29, -1, -1))],
    ids=["order of the file", "order of a column"],
)
def test_a_split_by_time_takes_the_last_rows(run_step: Any, table: Path, time: Any, expected: range) -> None:
    done = run_step("prep", spec_of({"path": str(table)}, split={"test": 0.3, "time": time}))
    assert list(pd.read_parquet(done.output("test"))["n"]) == list(expected)


def test_rows_without_a_target_are_left_out_and_counted(run_step: Any, tmp_path: Path) -> None:
    file = tmp_path / "gaps.csv"
    file.write_text("x,label\n" + "".join(f"{i},{'' if i < 3 else i % 2}\n" for i in range(20)))
    done = run_step("prep", spec_of({"path": str(file)}))
    assert done.params["rows"] == 17
    assert json.loads(done.output("profile").read_text())["dropped_rows"] == 3
    assert "3 of 20 rows" in done.log


def test_prep_of_a_csv_does_not_import_scikit_learn_or_matplotlib(run_step: Any, table: Path) -> None:
    done = run_step("prep", spec_of({"path": str(table)}), PYTHONPROFILEIMPORTTIME="1")
    assert done.code == 0
    assert "pandas" in done.log
    assert "sklearn" not in done.log
    assert "matplotlib" not in done.log


@pytest.mark.parametrize(
    ("spec", "reason", "words"),
    [
        ({"source": {"path": "/nowhere.csv"}}, "SourceUnavailable", "prep.source.path: there is no file '/nowhere.csv'"),
        ({"source": {"sklearn": "mnist"}}, "SpecInvalid", "prep.source.sklearn: 'mnist' does not come with scikit-learn; these do: digits"),
        ({"source": {"sklearn": "iris", "url": "x"}}, "SpecInvalid", "prep.source: must name exactly one of"),
        ({"source": {"s3": "bucket/key"}}, "SpecInvalid", "prep.source.s3: must look like s3://bucket/key"),
        ({"source": {"url": "ftp://x/y"}}, "SpecInvalid", "prep.source.url: cannot read 'ftp://'"),
        ({"source": {"url": "http://u:secret@127.0.0.1:9/t.csv"}}, "SourceUnavailable", "prep.source.url: http://127.0.0.1:9/t.csv cannot be read"),
        ({"source": {"input": "source"}}, "InputMissing", "no input 'source'; it has: none"),
        ({"source": {"sklearn": "iris"}, "target": "species"}, "ColumnNotFound", "prep.target: the table has no column 'species'; it has: sepal"),
        ({"source": {"sklearn": "iris"}, "split": {"test": 1.5}}, "SpecInvalid", "prep.split.test: is a share above 0 and below 1"),
        ({"source": {"sklearn": "iris"}, "split": {"tets": 0.5}}, "SpecInvalid", "prep.split.tets: is no field"),
        ({"source": {"sklearn": "iris"}, "split": {"time": True, "stratify": True}}, "SpecInvalid", "prep.split.stratify: does not go with"),
        ({"source": {"sklearn": "diabetes"}, "split": {"stratify": True}}, "SplitInvalid", "has a single row"),
        ({"source": {"sklearn": "iris"}, "columns": {"types": {"target": "spaceship"}}}, "SourceInvalid", "prep.columns.types.target: cannot be read as spaceship"),
    ],
)  # fmt: skip
def test_mistakes_are_named(spec: dict[str, Any], reason: str, words: str, in_process: Any) -> None:
    failure = in_process("prep", {"target": "target", **spec})
    assert failure.reason == reason
    assert words in failure.message
    assert "secret" not in failure.message


def test_a_mistake_ends_in_exit_code_1_a_reason_and_no_traceback(run_step: Any) -> None:
    done = run_step("prep", {"source": {"sklearn": "iris"}, "target": "species"})
    assert done.code == 1
    assert done.failure["reason"] == "ColumnNotFound"
    assert "Traceback" not in done.log
