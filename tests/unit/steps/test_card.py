"""What a bundle has for others than Python and its own author: the model card, and the model as ONNX."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mlworkflow_steps
import numpy as np
import pandas as pd
import pytest
from mlworkflow_steps.models import exchange
from mlworkflow_steps.models.estimator import build, set_seed

SAID = {
    "name": "Digits by hand",
    "intendedUse": "Reading *forms*, <b>not</b> cheques.",
    "limitations": "Sevens with a bar.",
    "owner": "ada@example.org",
}
ENCODED = {
    "pipeline": [
        {"columns": [{"use": "sklearn.preprocessing.OneHotEncoder", "select": ["site"]}], "remainder": "passthrough"},
        {"use": "sklearn.ensemble.RandomForestClassifier", "params": {"n_estimators": 5}},
    ]
}


@pytest.fixture(scope="module")
def carded(run_step: Any, digits: Any) -> Any:
    """A small model with a card of its author's, and as ONNX."""
    spec = {
        "estimator": "sklearn.ensemble.RandomForestClassifier",
        "params": {"n_estimators": 5, "max_depth": 4},
        "cv": 2,
        "card": {**SAID, "strict": True},
        "onnx": True,
    }
    done = run_step("train", spec, {"train": digits.output("train")})
    assert done.code == 0, done.log
    return done


def test_the_card_has_what_is_known_and_what_the_author_says(carded: Any) -> None:
    card = (carded.output("model") / "card.md").read_text()
    assert card.startswith("# Digits by hand\n")
    assert "## Intended use\n\nReading *forms*, &lt;b>not&lt;/b> cheques.\n" in card
    assert "## Owner\n\nada@example.org\n" in card
    assert f"| train | `sha256:{0:064x}` |" in card
    assert "1,257 rows, 64 features" in card
    assert '`{"max_depth": 4, "n_estimators": 5}`' in card
    assert f"| `cv_accuracy` | {carded.params['cv_accuracy']:.6g} |" in card
    assert "`model.onnx` says the same in ONNX." in card
    assert "scikit-learn" in card


def test_there_is_a_card_of_every_model_and_it_says_what_nobody_has_said(forest: Any) -> None:
    card = (forest.output("model") / "card.md").read_text()
    assert card.startswith("# Binarizer → RandomForestClassifier: target\n")
    assert card.count("_Not said._") == 3
    assert "ONNX" not in card


@pytest.mark.parametrize("name", ["intendedUse", "limitations", "owner"])
def test_a_strict_card_without_a_mandatory_field_fails_the_step(name: str, in_process: Any, digits: Any) -> None:
    spec = {"estimator": "sklearn.svm.SVC", "card": {**SAID, name: " ", "strict": True}}
    failure = in_process("train", spec, {"train": digits.output("train")})
    assert failure.reason == "SpecInvalid"
    assert failure.message == f"train.card.{name}: is missing, and the card is strict"


def test_a_strict_card_is_looked_at_before_anything_runs() -> None:
    from mlworkflow.core.kinds import KINDS
    from mlworkflow.core.kinds.train import Card, Train

    body = Train(estimator="sklearn.svm.SVC", card=Card(strict=True, limitations="few", intended_use="this"))
    assert KINDS["train"].check(body) == [("card.owner", "is missing, and the card is strict")]
    assert KINDS["train"].check(Train(estimator="sklearn.svm.SVC", card=Card())) == []


def test_onnx_says_what_scikit_learn_says(carded: Any, digits: Any) -> None:
    """By another runtime than the one that the step itself looks with, on rows that it has not looked at."""
    import onnxruntime

    model = mlworkflow_steps.load(carded.output("model"))
    facts = model.manifest.onnx
    assert (facts["converted"], facts["precision"], list(facts["inputs"])) == (True, "float", ["X"])
    rows = pd.read_parquet(digits.output("test"))[facts["inputs"]["X"]]
    session = onnxruntime.InferenceSession(str(carded.output("model") / "model.onnx"))
    labels, probabilities = session.run(None, {"X": rows.to_numpy(dtype=np.float32)})
    assert np.array_equal(labels, model.predict(rows))
    assert np.abs(probabilities - model.predict_proba(rows)).max() < 1e-5


def test_columns_that_are_chosen_by_name_are_inputs_of_their_own_and_the_bytes_are_the_same() -> None:
    import onnxruntime

    random = np.random.default_rng(0)
    rows = pd.DataFrame({"temp (°C)": random.normal(size=60), "site": random.choice(["n", "s"], 60)})
    estimator = build(ENCODED, ("sklearn.",), "estimator")
    set_seed(estimator, 1)
    estimator.fit(rows, (rows["temp (°C)"] > 0).to_numpy())
    made = [exchange.converted(estimator, rows.head(20)) for _ in range(2)]
    assert made[0] == made[1]
    data, facts = made[0]
    assert facts["inputs"] == {"temp___C_": ["temp (°C)"], "site": ["site"]}
    session = onnxruntime.InferenceSession(data)
    _, probabilities = session.run(None, exchange.fed(facts["inputs"], rows, np.float32))
    assert np.abs(probabilities - estimator.predict_proba(rows)).max() < 1e-5


@pytest.mark.parametrize(
    ("estimator", "why"),
    [
        ("sklearn.neighbors.NearestCentroid", "MissingShapeCalculator"),
        ("sklearn.neighbors.KNeighborsRegressor", "as ONNX its predictions of the golden rows are up to"),
    ],
)
def test_what_cannot_be_converted_or_then_says_something_else_is_left_out_and_says_why(
    estimator: str, why: str, digits: Any
) -> None:
    frame = pd.read_parquet(digits.output("train")).head(200)
    features = frame.drop(columns="target") * np.pi
    fitted = build(estimator, ("sklearn.",), "estimator").fit(features, frame["target"].to_numpy())
    data, facts = exchange.converted(fitted, features.head(20))
    if data is not None:  # a converter that has learnt it
        assert facts["difference"] <= exchange.TOLERANCE
        return
    assert facts["converted"] is False
    assert why in facts["why"]


def test_an_image_without_the_converter_leaves_a_note(
    monkeypatch: pytest.MonkeyPatch, digits: Any, tmp_path: Path
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    data, facts = exchange.converted(object(), pd.DataFrame({"a": [1.0]}))
    assert data is None
    assert facts["converted"] is False
    assert "pip install 'mlworkflow[onnx]'" in facts["why"]
    assert json.dumps(facts)
