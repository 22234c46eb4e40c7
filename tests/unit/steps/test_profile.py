"""`profile`, by what it leaves: numbers that are true, a page that shows them, parameters that a `when` can read."""

from __future__ import annotations

import json
import re
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pages import no_network


@pytest.fixture(scope="session")
def bike(run_step: Any, bike_file: Path) -> Any:
    return run_step("profile", {"source": {"path": str(bike_file)}, "target": "demand"}, PYTHONHASHSEED="1")


def facts_of(done: Any) -> dict[str, Any]:
    assert done.code == 0, done.log
    facts: dict[str, Any] = json.loads(done.output("profile").read_text())
    return facts


def columns_of(done: Any) -> dict[str, dict[str, Any]]:
    return {column["name"]: column for column in facts_of(done)["columns"]}


def test_the_numbers_are_those_of_the_table(bike: Any, bike_file: Path) -> None:
    frame = pd.read_csv(bike_file)
    columns = columns_of(bike)
    assert list(columns) == list(frame.columns)
    for name in ("temp", "hr", "demand"):
        column, values = columns[name], frame[name]
        assert (column["missing"], column["distinct"]) == (0, values.nunique())
        assert [column[key] for key in ("min", "max", "mean", "std")] == pytest.approx([values.min(), values.max(), values.mean(), values.std()])  # fmt: skip
        assert column["quantiles"]["0.95"] == pytest.approx(values.quantile(0.95))
        assert sum(column["histogram"]["counts"]) == len(frame)
    assert columns["dayOfWeek"]["kind"] == "category"
    assert columns["temp"]["with_target"]["strength"] == pytest.approx(abs(frame["temp"].corr(frame["demand"])))
    assert columns["hum"]["with_target"]["sign"] == np.sign(frame["hum"].corr(frame["demand"]))
    assert bike.params["rows"] == len(frame)
    assert bike.params["columns"] == 13
    assert bike.params["task"] == "regression"
    assert bike.params["missing_share"] == 0
    assert "classes" not in bike.params


def test_the_page_shows_every_column_and_needs_no_network(bike: Any) -> None:
    page = bike.output("report").read_text()
    no_network(page)
    for name in ("season", "dayOfWeek", "windspeed", "demand"):
        assert f"<td>{name}</td>" in page
    assert page.count('class="spark"') == 12, "all but the day of the week"
    assert "What goes with the target" in page
    assert "w&lt;b&gt;&amp; / profile" in page


def test_the_same_table_gives_the_same_bytes(run_step: Any, bike: Any, bike_file: Path) -> None:
    again = run_step("profile", {"source": {"path": str(bike_file)}, "target": "demand"}, PYTHONHASHSEED="2", TZ="Asia/Tokyo")  # fmt: skip
    for name in ("profile", "report"):
        assert again.digests(name) == bike.digests(name)


def test_what_prep_left_names_its_target_itself(run_step: Any, digits: Any) -> None:
    done = run_step("profile", {}, {"table": digits.output("train")})
    assert {name: done.params[name] for name in ("rows", "columns", "classes", "task")} == {"rows": 1257, "columns": 65, "classes": 10, "task": "classification"}  # fmt: skip
    assert 0.09 < done.params["smallest_class_share"] < 0.1
    assert facts_of(done)["target"] == "target"
    assert columns_of(done)["pixel_4_3"]["with_target"]["measure"] == "correlation ratio"


def test_words_are_counted_as_the_text_classification_guide_counts_them(run_step: Any, tmp_path: Path) -> None:
    lengths = [3 + index % 30 for index in range(900)]
    rows = [f'{index},"{" ".join(["word"] * (length - 1))} {index}",{"pos" if index % 3 else "neg"}' for index, length in enumerate(lengths)]  # fmt: skip
    file = tmp_path / "reviews.csv"
    file.write_text("id,review,label\n" + "\n".join(rows) + "\n")
    done = run_step("profile", {"source": {"path": str(file)}, "target": "label"})
    text = facts_of(done)["text"]
    assert text["column"] == "review"
    assert done.params["words_per_sample"] == statistics.median(lengths)
    assert done.params["samples_per_words"] == pytest.approx(900 / statistics.median(lengths))
    assert sum(text["words"]["histogram"]["counts"]) == 900
    assert "n-grams" in " ".join(facts_of(done)["remarks"])
    assert "The texts" in done.output("report").read_text()


def test_what_could_spoil_a_model_is_said(run_step: Any, tmp_path: Path) -> None:
    random = np.random.RandomState(0)
    label = np.where(random.rand(400) < 0.02, "rare", "common")
    x = random.normal(size=400)
    frame = pd.DataFrame({"id": np.arange(400), "x": x, "twice": 2 * x, "same": 1, "gaps": np.where(x > 0, x, np.nan), "late": np.where(label == "rare", 5, 1), "label": label})  # fmt: skip
    file = tmp_path / "t.csv"
    frame.to_csv(file, index=False)
    remarks = " ".join(facts_of(run_step("profile", {"source": {"path": str(file)}, "target": "label"}))["remarks"])
    for words in (
        "late nearly give the target away",
        "One value only is in same",
        "Every row has a value of its own in id",
        "missing in gaps",
        "Class “rare” has",
        "x and twice say the same (correlation 1.000)",
    ):
        assert words in remarks


def test_odd_tables_are_described_too(run_step: Any, tmp_path: Path) -> None:
    frame = pd.DataFrame({"lists": [[1], [2], [1]], "inf": [1.0, np.inf, np.nan], "none": [None] * 3, "when": ["2026-01-01", "2026-01-02", None], "flag": [True, None, False]})  # fmt: skip
    file = tmp_path / "odd.parquet"
    frame.to_parquet(file)
    done = run_step("profile", {"source": {"path": str(file)}})
    columns = columns_of(done)
    assert {name: column["kind"] for name, column in columns.items()} == {"lists": "category", "inf": "number", "none": "empty", "when": "time", "flag": "boolean"}  # fmt: skip
    assert columns["inf"]["infinite"] == 1
    assert columns["when"]["max"] == "2026-01-02"
    assert facts_of(done)["duplicates"] == 0
    assert facts_of(done)["target"] is None
    assert "NaN" not in done.output("profile").read_text()
    assert "Warning" not in done.log


def test_an_empty_table_is_described_too(run_step: Any, tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("a,b\n")
    assert run_step("profile", {"source": {"path": str(file)}, "target": "b"}).params["rows"] == 0


def test_whole_numbers_with_a_gap_are_whole_numbers_still() -> None:
    from mlworkflow_steps.data.kinds import kind_of

    assert kind_of(pd.Series([1.0, 2.0, np.nan])) == "integer"
    assert kind_of(pd.Series([1.0, 2.0])) == "number"
    assert kind_of(pd.Series([1.5, np.nan])) == "number"
    assert kind_of(pd.Series(["a", "b"] * 9)) == "category"
    assert kind_of(pd.Series([f"name {index}" for index in range(300)])) == "text"


def test_labels_that_explain_nothing_and_labels_that_explain_everything() -> None:
    from mlworkflow_steps.data.association import association

    random = np.random.RandomState(0)
    labels = pd.Series(random.choice(["a", "b", "c"], 600))
    noise = pd.Series(random.choice(["x", "y"], 600))
    strength = {name: association(values, labels, as_labels=True) for name, values in {"noise": noise, "copy": labels.str.upper(), "constant": pd.Series(["k"] * 600)}.items()}  # fmt: skip
    assert strength["constant"] is None
    assert strength["noise"] is not None
    assert strength["noise"].strength < 0.1
    assert strength["copy"] is not None
    assert strength["copy"].strength == pytest.approx(1, abs=0.01)


def test_a_profile_of_a_csv_imports_neither_scikit_learn_nor_a_plotting_library(run_step: Any, bike_file: Path) -> None:
    done = run_step("profile", {"source": {"path": str(bike_file)}, "target": "demand"}, PYTHONPROFILEIMPORTTIME="1")
    assert done.code == 0
    assert not re.search(r"\| +(sklearn|matplotlib|pandera|scipy)\b", done.log)


@pytest.mark.parametrize(
    ("spec", "reason", "words"),
    [
        ({}, "InputMissing", "no input 'table'; it has: none"),
        ({"source": {"sklearn": "iris"}, "target": "species"}, "ColumnNotFound", "profile.target: the table has no column 'species'; it has: sepal"),
        ({"source": {"sklearn": "iris"}, "text": "species"}, "ColumnNotFound", "profile.text: the table has no column 'species'"),
        ({"source": {"sklearn": "iris"}, "text": "target"}, "SpecInvalid", "profile.text: column 'target' holds no texts"),
        ({"source": {}}, "SpecInvalid", "profile.source: must name exactly one of"),
        ({"sauce": {}}, "SpecInvalid", "profile.sauce: is no field"),
    ],
)  # fmt: skip
def test_mistakes_are_named(spec: dict[str, Any], reason: str, words: str, in_process: Any) -> None:
    failure = in_process("profile", spec)
    assert (failure.reason, words in failure.message) == (reason, True), failure.message
