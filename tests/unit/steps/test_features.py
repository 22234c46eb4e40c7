"""Features: learnt from the training part alone, the same at training and at prediction, the same bytes everywhere."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlworkflow_steps
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml
from mlworkflow_steps.context import DEFAULT_ALLOWED_IMPORTS, Context
from mlworkflow_steps.data.sparse import frame_of, matrix_of, take
from mlworkflow_steps.data.table import FEATURES, Table, read_table, write_table
from mlworkflow_steps.errors import StepFailure
from mlworkflow_steps.models.preprocessor import Preprocessor
from scipy import sparse

DOUBLE = """\
import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin


class Times(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    def __init__(self, factor=2):
        self.factor = factor

    def fit(self, frame, target=None):
        self.feature_names_in_ = np.asarray(frame.columns, dtype=object)
        self.n_features_in_ = frame.shape[1]
        return self

    def transform(self, frame):
        return frame * self.factor
"""
STANDARD = {"columns": ["temp"], "scale": "standard"}
Prepared = Callable[..., Path]


@pytest.fixture
def prep(tmp_path: Path) -> Prepared:
    """Runs `prep` of a frame in this process: the folder of its outputs."""

    def run(frame: pd.DataFrame, features: list[dict[str, Any]] | None, **body: Any) -> Path:
        root = tmp_path / f"run-{len(list(tmp_path.iterdir()))}"
        for folder in ("in", "out", "run"):
            (root / folder).mkdir(parents=True)
        write_table(Table(frame), root / "in" / "table")
        spec = {"source": {"input": "table", "format": "parquet"}, "target": "y", **body}
        context = Context(
            workflow="w", step="prep", spec=spec if features is None else {**spec, "features": features}, digests={}, inputs=root / "in", outputs=root / "out",
            metrics=root / "run" / "metrics.jsonl", failure=root / "run" / "failure.json", allowed_imports=tuple(DEFAULT_ALLOWED_IMPORTS.split(",")), s3_endpoint="",
        )  # fmt: skip
        importlib.import_module("mlworkflow_steps.kinds.prep").run(context)
        return root / "out"

    return run


@pytest.fixture
def rentals() -> pd.DataFrame:
    """1,400 hours, not in their order."""
    random = np.random.RandomState(0)
    hours = pd.date_range("2026-01-01", periods=1400, freq="h")
    frame = pd.DataFrame(
        {
            "when": hours.astype(str),
            "temp": random.normal(10, 5, 1400),
            "season": random.choice(["spring", "summer", "autumn"], 1400),
            "station": random.randint(0, 40, 1400),
            "y": np.arange(1400.0),
        }
    )
    return frame.sample(frac=1, random_state=1).reset_index(drop=True)


def table(out: Path, part: str) -> pd.DataFrame:
    return read_table(out / part).frame


def test_parts_of_a_moment_are_the_same_in_training_and_for_any_row_to_predict(
    prep: Prepared, rentals: pd.DataFrame
) -> None:
    out = prep(
        rentals,
        [{"column": "when", "datetime": ["hour", "dayofweek", "month"]}],
        remainder="drop",
        split={"time": "when", "test": 0.25},
    )
    preprocessor = Preprocessor.read(out / "preprocessor")
    trained = table(out, "train")
    rows = rentals.sort_values("when", ignore_index=True).head(1000)
    expected = trained[["when_hour", "when_dayofweek", "when_month"]].head(1000)
    moments = pd.to_datetime(rows["when"])
    assert (expected["when_hour"] == moments.dt.hour).all()
    assert (expected["when_dayofweek"] == moments.dt.day_of_week).all()
    for same in (rows, rows.assign(when=moments), rows[["when"]].iloc[::-1]):
        pd.testing.assert_frame_equal(preprocessor.transform(same).sort_index(), expected, check_flags=False)
    assert preprocessor.transform(rows.iloc[[7]]).iloc[0].to_dict() == expected.iloc[7].to_dict()


def test_a_moment_is_read_as_it_is_declared_and_never_guessed(prep: Prepared) -> None:
    frame = pd.DataFrame({"day": [f"{day:02}.02.2026" for day in range(1, 21)], "y": range(20)})
    parts = {"column": "day", "datetime": ["day", "month"], "format": "%d.%m.%Y"}
    made = table(prep(frame, [parts]), "train")
    assert set(made["day_month"]) == {2.0}
    with pytest.raises(
        StepFailure,
        match=r"prep.features\[0\]: ValueError: column 'day' cannot be read as moments: .*`format` says how",
    ):
        prep(frame, [{"column": "day", "datetime": ["day"]}])


def test_binarizing_at_a_tenth_is_what_sparks_digits_are(prep: Prepared) -> None:
    from sklearn.datasets import load_digits

    digits = load_digits(as_frame=True).frame.rename(columns={"target": "y"})
    out = prep(digits, [{"columns": ["pixel_*"], "binarize": 0.1}], split={"test": 0.3, "stratify": True})
    raw = table(prep(digits, None, split={"test": 0.3, "stratify": True}), "train")
    made = table(out, "train")
    assert list(made.columns) == list(raw.columns)
    pixels = [name for name in made if name != "y"]
    assert ((made[pixels] == 1.0) == (raw[pixels] > 0.1)).to_numpy().all()
    assert set(np.unique(made[pixels])) == {0.0, 1.0}


def test_everything_is_learnt_from_the_training_part_alone(prep: Prepared, rentals: pd.DataFrame) -> None:
    """The test part holds a word, a category, a range and a median of its own, none of which leaves a trace."""
    frame = rentals.sort_values("when", ignore_index=True)
    late = frame.index >= 1050
    frame["text"] = np.where(late, "only afterwards known", np.where(frame.index % 2, "cold wind", "warm sun"))
    frame.loc[late, "season"] = "winter"
    frame.loc[late, "temp"] += 1000
    frame.loc[frame.index % 7 == 0, "temp"] = np.nan
    features = [
        {"column": "text", "text": {"minDf": 1}},
        {"columns": ["season"], "encode": "oneHot"},
        {"columns": ["temp"], "impute": "median", "scale": "minMax"},
        {"columns": ["temp"], "name": "std", "impute": "mean", "scale": "standard"},
    ]  # fmt: skip
    out = prep(frame, features, remainder="drop", split={"time": "when", "test": 0.25})
    preprocessor = Preprocessor.read(out / "preprocessor")
    assert [name for name in preprocessor.outputs if "afterwards" in name or "winter" in name] == []
    assert "text: cold wind" in preprocessor.outputs
    assert preprocessor.transform(frame)["temp"].head(1050).max() == pytest.approx(1.0)
    assert table(out, "test")["temp"].max() > 10
    assert abs(table(out, "train")["std_temp"].sparse.to_dense().mean()) < 1e-9
    changed = frame.assign(text=frame["text"].where(~late, "else"), temp=frame["temp"].where(~late, -5.0))
    again = prep(changed, features, remainder="drop", split={"time": "when", "test": 0.25})
    for file in ("train", "preprocessor/preprocessor.skops", "preprocessor/features.json"):
        assert (out / file).read_bytes() == (again / file).read_bytes(), file


def test_what_is_stored_makes_of_raw_rows_what_prep_made_of_them(prep: Prepared, rentals: pd.DataFrame) -> None:
    features = [{"columns": ["temp"], "scale": "robust"}, {"columns": ["season"], "encode": "ordinal"}]
    split = {"test": 0.3, "seed": 3}
    frame = rentals.drop(columns="when")
    out = prep(frame, features, split=split)
    raw = table(prep(frame, None, split=split), "test")
    preprocessor = Preprocessor.read(out / "preprocessor")
    again = preprocessor.transform(raw.drop(columns="y").assign(extra="is left out")[::-1])[::-1]
    pd.testing.assert_frame_equal(again, table(out, "test").drop(columns="y"), check_exact=True)
    assert preprocessor.outputs == ["temp", "season", "station"]
    assert again.attrs[FEATURES] == preprocessor.digest == table(out, "train").attrs[FEATURES]
    metadata = pq.read_schema(out / "train").metadata
    assert metadata[b"mlworkflow.features"].decode() == preprocessor.digest


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"encode": "oneHot"}, [0.0, 0.0]),
        ({"encode": "oneHot", "unseen": "infrequent", "minFrequency": 0.3}, [0.0, 1.0]),
        ({"encode": "ordinal"}, [-1.0]),
        ({"encode": "oneHot", "unseen": "error"}, None),
        ({"encode": "ordinal", "unseen": "error"}, None),
    ],
)
def test_a_category_that_was_never_seen_is_what_is_declared(
    prep: Prepared, fields: dict[str, Any], expected: list[float] | None
) -> None:
    seen = ["a"] * 60 + (["b"] * 40 if "minFrequency" not in fields else ["b", "c"] * 20)
    frame = pd.DataFrame({"kind": seen, "y": range(100)})
    preprocessor = Preprocessor.read(prep(frame, [{"column": "kind", **fields}]) / "preprocessor")
    if expected is None:
        with pytest.raises(StepFailure, match="unknown categories") as caught:
            preprocessor.transform(pd.DataFrame({"kind": ["zebra"]}))
        assert caught.value.reason == "PredictFailed"
    else:
        assert preprocessor.transform(pd.DataFrame({"kind": ["zebra"]})).iloc[0].tolist() == expected


def test_a_split_by_time_never_trains_on_what_comes_later(prep: Prepared, rentals: pd.DataFrame) -> None:
    """Moments as texts that do not sort as they are, because their offsets differ."""
    moments = pd.to_datetime(rentals["when"]).dt.tz_localize("UTC")
    rentals["when"] = [
        moment.tz_convert(("UTC", "Asia/Tokyo")[place % 2]).isoformat() for place, moment in enumerate(moments)
    ]
    out = prep(rentals, [STANDARD, {"columns": ["season"], "encode": "oneHot"}], split={"time": "when", "test": 0.3})
    train, test = table(out, "train"), table(out, "test")
    assert (len(train), len(test)) == (980, 420)
    assert train["y"].max() < test["y"].min()
    assert read_table(out / "train").beside == ("when",)
    assert "when" not in Preprocessor.read(out / "preprocessor").outputs
    with pytest.raises(StepFailure, match=r"prep.split.time: column 'season' has texts that are no moments"):
        prep(rentals, None, split={"time": "season"})


@pytest.mark.parametrize("test", [0.1, 0.3, 0.5, 0.9])
def test_groups_are_never_divided_between_parts_nor_folds(prep: Prepared, rentals: pd.DataFrame, test: float) -> None:
    out = prep(rentals, [STANDARD], remainder="drop", split={"group": "station", "test": test, "folds": 3})
    train, held_out = table(out, "train"), table(out, "test")
    assert set(train["station"]) & set(held_out["station"]) == set()
    assert len(held_out) == pytest.approx(1400 * test, abs=40)
    assert train.groupby("station")["fold"].nunique().max() == 1
    assert set(train["fold"]) == {0, 1, 2}
    assert read_table(out / "train").beside == ("station", "fold")
    assert Preprocessor.read(out / "preprocessor").outputs == ["temp"]


def test_folds_keep_the_shares_of_classes_where_the_parts_do(prep: Prepared, rentals: pd.DataFrame) -> None:
    rentals["y"] = np.where(np.arange(1400) % 10 == 0, "rare", "common")
    frame = rentals.drop(columns=["when", "season"])
    train = table(prep(frame, None, split={"test": 0.2, "stratify": True, "folds": 4}), "train")
    assert train.groupby("fold")["y"].agg(lambda labels: (labels == "rare").sum()).tolist() == [28, 28, 28, 28]
    assert "fold" not in table(prep(frame, None, split={"folds": 4}), "test")
    with pytest.raises(StepFailure, match=r"prep.split.folds: "):
        prep(frame.head(12), None, split={"test": 0.5, "stratify": True, "folds": 5})


def test_columns_kept_beside_are_in_the_tables_and_no_features(prep: Prepared, rentals: pd.DataFrame) -> None:
    frame = rentals.assign(weight=1.5)
    out = prep(frame, [{"columns": ["*"], "name": "all"}], keep=["weight", "season", "when"])
    preprocessor = Preprocessor.read(out / "preprocessor")
    assert preprocessor.outputs == ["all_temp", "all_station"]
    assert list(table(out, "test").columns) == ["all_temp", "all_station", "weight", "season", "when", "y"]
    assert read_table(out / "test").beside == ("weight", "season", "when")
    assert list(preprocessor.transform(rentals[["temp", "station"]]).columns) == preprocessor.outputs


def test_words_are_those_of_the_text_guide_and_are_never_made_dense(prep: Prepared) -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.feature_selection import SelectKBest, f_classif

    random = np.random.RandomState(0)
    words = [f"word{number}" for number in range(300)]
    texts = [" ".join(random.choice(words, 30)) + (" Café" if row % 2 else " thé") for row in range(200)]
    frame = pd.DataFrame({"text": texts, "n": range(200), "y": [row % 2 for row in range(200)]})
    out = prep(frame, [{"column": "text", "text": {"kBest": 500}}, {"columns": ["n"], "scale": "maxAbs"}])
    raw = table(prep(frame, None), "train")
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), min_df=2, strip_accents="unicode")
    best = SelectKBest(f_classif, k=500)
    expected = best.fit_transform(vectorizer.fit_transform(raw["text"]), raw["y"])
    made = table(out, "train")
    names = [f"text: {name}" for name in best.get_feature_names_out(vectorizer.get_feature_names_out())]
    assert list(made.columns) == [*names, "n", "y"]
    assert {"text: cafe", "text: the"} <= set(names)
    assert np.array_equal(matrix_of(made[names]).toarray(), expected.toarray())
    assert pq.read_schema(out / "train").names == ["y", "mlworkflow.sparse"]
    unseen = Preprocessor.read(out / "preprocessor").transform(
        pd.DataFrame({"text": [None, "never seen"], "n": [1, 2]})
    )
    assert matrix_of(unseen[names]).nnz == 0


def test_memory_follows_what_is_not_zero(tmp_path: Path) -> None:
    matrix = sparse.random(20_000, 500, density=0.002, format="csr", random_state=0)
    frame = frame_of(matrix, [f"w{number}" for number in range(500)]).assign(y=1)
    tracemalloc.start()
    write_table(Table(frame, "y"), tmp_path / "table")
    back = read_table(tmp_path / "table")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20_000 * 500 * 8 / 10
    features = back.frame.drop(columns="y")
    assert (matrix_of(features) != matrix).nnz == 0
    rows = np.array([5, 19_999, 7_000])
    assert (matrix_of(take(features, rows)) != matrix[rows]).nnz == 0


def test_code_of_ones_own_travels_and_only_runs_where_it_may(
    prep: Prepared, rentals: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLWF_TASK", "task.json")
    entry = {"columns": ["temp"], "use": "Times", "params": {"factor": 3}}
    out = prep(rentals, [entry], remainder="drop", code={"source": DOUBLE})
    folder = out / "preprocessor"
    (shipped,) = (folder / "code").iterdir()
    assert shipped.read_text() == DOUBLE
    program = (
        "import sys, pandas, pathlib; from mlworkflow_steps.models.preprocessor import Preprocessor\n"
        "print(Preprocessor.read(pathlib.Path(sys.argv[1])).transform(pandas.DataFrame({'temp': [2.0]})).iloc[0, 0])"
    )
    env = {"PYTHONPATH": str(Path(__file__).parents[3] / "steps"), "MLWF_TASK": "task.json"}
    elsewhere = subprocess.run([sys.executable, "-c", program, folder], env=env, capture_output=True, text=True)
    assert elsewhere.stdout.strip() == "6.0", elsewhere.stderr

    monkeypatch.delenv("MLWF_TASK")
    with pytest.raises(
        StepFailure, match=r"'preprocessor' brings Python code of its author \(code/mlworkflow_code_"
    ) as refused:
        Preprocessor.read(folder)
    assert refused.value.reason == "CodeNotAllowed"
    monkeypatch.setenv("MLWF_ALLOWED_IMPORTS", "sklearn.,mlworkflow_code_")
    assert Preprocessor.read(folder).transform(pd.DataFrame({"temp": [2.0]})).iloc[0, 0] == 6.0
    shipped.write_text(f"{DOUBLE}raise SystemExit('must not run')\n")
    with pytest.raises(StepFailure, match="is not what its name says: it was changed"):
        Preprocessor.read(folder)
    shipped.write_text(DOUBLE)
    facts = json.loads((folder / "features.json").read_text())
    (folder / "features.json").write_text(json.dumps({**facts, "target": "temp"}))
    with pytest.raises(StepFailure, match="is no preprocessor of format 1, or was changed"):
        Preprocessor.read(folder)


def test_the_same_bytes_in_any_process(run_step: Any, tmp_path: Path, rentals: pd.DataFrame) -> None:
    file = tmp_path / "rentals.csv"
    rentals.assign(text="some words of " + rentals["season"]).to_csv(file, index=False)
    spec = {
        "source": {"path": str(file)}, "target": "y", "split": {"group": "station", "folds": 3},
        "features": [
            {"column": "text", "text": {}}, {"columns": ["season"], "encode": "oneHot", "impute": "mostFrequent"}, {"column": "when", "datetime": ["hour", "week", "epoch"]},
            {"columns": ["temp"], "name": "t", "use": "sklearn.preprocessing.QuantileTransformer", "params": {"n_quantiles": 10}},
            {"columns": ["temp"], "use": "Times"},
        ],
        "code": {"source": DOUBLE},
    }  # fmt: skip
    first = run_step("prep", spec, PYTHONHASHSEED="1")
    again = run_step("prep", spec, PYTHONHASHSEED="2")
    assert first.code == 0, first.log
    for name in ("train", "test", "profile", "preprocessor"):
        one, other = first.output(name), again.output(name)
        files = [one, *one.rglob("*")]
        assert len(files) == {"preprocessor": 7}.get(name, 1)
        for path in files:
            twin = other / path.relative_to(one)
            assert path.stat().st_mode == twin.stat().st_mode
            assert path.is_dir() or path.read_bytes() == twin.read_bytes(), path


@pytest.mark.parametrize(
    ("features", "reason", "words"),
    [
        ([{"columns": ["tmep"], "scale": "standard"}], "ColumnNotFound", r"prep.features\[0\]: the table has no column 'tmep'; it has: when, temp"),
        ([{"columns": ["pixel_*"]}], "ColumnNotFound", r"no column is called as 'pixel_\*' says"),
        ([STANDARD, {"columns": ["season"], "scale": "minMax"}], "ColumnInvalid", r"prep.features\[1\]: column 'season' holds .* values such as '.*', and `scale` needs numbers"),
        ([STANDARD], "ColumnInvalid", r"column 'when' holds .* no entry says what becomes of them: name it in an entry"),
        ([{"columns": ["season", "when"], "encode": "oneHot"}, STANDARD, {"columns": ["temp"]}], "SpecInvalid", r"prep.features\[2\]: makes a feature 'temp', as prep.features\[1\] does: give one a `name`"),
        ([{"columns": ["season"], "text": {"minDf": 2000}}, {"columns": ["when"], "text": {}}], "FeaturesInvalid", r"prep.features\[0\]: ValueError: max_df corresponds to < documents than min_df"),
        ([{"columns": ["temp"], "use": "os.path.Thing"}], "ImportNotAllowed", r"prep.features\[0\].use: 'os.path.Thing' may not be imported"),
        ([{"columns": ["temp"], "use": "sklearn.svm.SVR"}], "EstimatorInvalid", r"'sklearn.svm.SVR' transforms nothing"),
        ([{"columns": ["temp"], "use": "X"}, "class X:\n    pass"], "EstimatorInvalid", r"is no estimator: it cannot be fitted"),
        ([{"columns": ["temp"], "use": "X"}, "import numpy\nclass X(:\n"], "CodeInvalid", r"prep.code: the code cannot be run \(line 2\): SyntaxError"),
        ([{"columns": ["temp"], "use": "X"}, "\n\nimport not_there"], "CodeInvalid", r"\(line 3\): ModuleNotFoundError: No module named 'not_there'"),
        ([{"columns": ["temp"], "scale": "big"}], "SpecInvalid", r"prep.features\[0\].scale: must be one of standard"),
        ([{"columns": ["temp"], "scael": "standard"}], "SpecInvalid", r"prep.features\[0\].scael: is no field"),
    ],
)  # fmt: skip
def test_mistakes_are_named(
    prep: Prepared, rentals: pd.DataFrame, features: list[Any], reason: str, words: str
) -> None:
    *entries, last = features
    code = {"code": {"source": last}} if isinstance(last, str) else {}
    with pytest.raises(StepFailure, match=words) as caught:
        prep(rentals, entries if code else features, **code)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("rows", "reason", "words"),
    [
        ({"season": ["spring"]}, "ColumnNotFound", "the rows lack columns that features are made of: temp"),
        ({"temp": ["warm"], "season": ["spring"]}, "ColumnInvalid", "column 'temp' held numbers at training"),
    ],
)
def test_so_are_rows_that_are_not_like_those_of_training(
    prep: Prepared, rentals: pd.DataFrame, rows: dict[str, Any], reason: str, words: str
) -> None:
    out = prep(rentals, [STANDARD, {"columns": ["season"], "encode": "oneHot"}], remainder="drop")
    with pytest.raises(StepFailure, match=words) as caught:
        Preprocessor.read(out / "preprocessor").transform(pd.DataFrame(rows))
    assert caught.value.reason == reason


def test_a_model_of_features_takes_rows_as_they_are_and_no_column_beside_them(
    run_step: Any, tmp_path: Path, rentals: pd.DataFrame
) -> None:
    """Weights and folds are kept beside the features for `train`, and a row to predict needs neither."""
    file = tmp_path / "rentals.csv"
    rentals.assign(weight=1.0 + rentals["station"], text="in " + rentals["season"]).to_csv(file, index=False)
    spec = {
        "source": {"path": str(file)}, "target": "y", "split": {"test": 0.3, "folds": 3}, "keep": ["weight"],
        "features": [{"column": "text", "text": {}}, {"columns": ["temp"], "scale": "standard"}, {"column": "when", "datetime": ["hour", "dayofyear"]}],
        "columns": {"exclude": ["season"]},
    }  # fmt: skip
    prepared = run_step("prep", spec)
    inputs = {name: prepared.output(name) for name in ("train", "preprocessor")}
    trained = run_step(
        "train", {"estimator": "sklearn.linear_model.Ridge", "cv": {"fold": "fold"}, "sampleWeight": "weight"}, inputs
    )
    assert trained.code == 0, trained.log
    assert len(trained.params["fold_rmse"]) == 3
    model = mlworkflow_steps.load(trained.output("model"))
    assert [name for name in model.manifest.features if name in ("weight", "fold")] == []
    test = read_table(prepared.output("test")).frame
    raw = rentals.set_index("y").loc[test["y"]].reset_index()
    raw["text"] = "in " + raw["season"]
    assert np.array_equal(model.predict(raw[["when", "temp", "station", "text"]]), model.predict(test))


def test_the_code_that_the_documentation_shows_works(
    prep: Prepared, monkeypatch: pytest.MonkeyPatch, rentals: pd.DataFrame
) -> None:
    monkeypatch.setenv("MLWF_TASK", "task.json")
    page = (Path(__file__).parents[3] / "docs/concepts.md").read_text()
    (block,) = (text for text in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "class Cyclic" in text)
    body = yaml.safe_load(block)
    out = prep(rentals.rename(columns={"station": "hr"}), body.pop("features"), remainder="drop", **body)
    raw = Preprocessor.read(out / "preprocessor").transform(pd.DataFrame({"hr": [6, 18]}))
    assert raw.columns.tolist() == ["sin_hr", "cos_hr"]
    assert raw["sin_hr"].tolist() == pytest.approx([1.0, -1.0])
