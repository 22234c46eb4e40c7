"""What is wrong with a `prep` step, found before any Pod of it exists."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from mlworkflow.core.errors import SpecError

from tests.builders import a_workflow

SOURCE = "class Double:\n    pass\n"


def problems(**body: Any) -> list[str]:
    prep = {"source": {"sklearn": "iris"}, "target": "label", **body}
    try:
        a_workflow().raw({"name": "prep", "prep": prep}).plan()
    except SpecError as error:
        return [str(problem).removeprefix("spec.steps[0].prep.") for problem in error.problems]
    return []


def test_nothing_is_wrong_with_what_the_reference_shows() -> None:
    features = [
        {"columns": ["temp", "hum"], "scale": "standard"},
        {"columns": ["season"], "encode": "oneHot", "unseen": "infrequent", "minFrequency": 5},
        {"column": "when", "datetime": ["hour", "dayofweek"], "format": "%d.%m.%Y %H:%M"},
        {"column": "text", "text": {"ngrams": [1, 2], "minDf": 2, "kBest": "${{ 5 * 4 }}"}},
        {"columns": ["age"], "impute": "median", "scale": "minMax"},
        {"columns": ["pixel_*"], "binarize": 0.1},
        {"columns": ["a"], "use": "sklearn.preprocessing.SplineTransformer", "params": {"degree": 2}},
        {"columns": ["a"], "name": "b", "fill": 0, "use": "Double"},
        {"columns": ["as_it_is"]},
    ]
    split = {"time": "when", "test": 0.3}
    assert problems(features=features, split=split, keep=["weight"], remainder="drop", code={"source": SOURCE}) == []


@pytest.mark.parametrize(
    ("feature", "expected"),
    [
        ({}, "features[0]: name exactly one of: column, columns"),
        ({"column": "a", "columns": ["b"]}, "features[0]: name exactly one of: column, columns"),
        ({"columns": ["a", "label"]}, "features[0].columns: 'label' is the target: a model that sees it has nothing to predict; take it out"),
        ({"column": "gone"}, "features[0].column: 'gone' is left out by `columns.exclude`: take it out of one of the two"),
        ({"column": "a", "scale": "standard", "encode": "oneHot"}, "features[0].encode: does not go with `scale`: make two entries, or one that uses a pipeline of your own"),
        ({"column": "a", "impute": "mean", "fill": 0}, "features[0].fill: does not go with `impute`: name one of them"),
        ({"column": "a", "text": {}, "impute": "mean"}, "features[0].impute: does not go with `text`; a missing text has no words"),
        ({"column": "a", "text": {"ngrams": [2, 1]}}, "features[0].text.ngrams: is a shortest and a longest length, such as [1, 2], not [2, 1]"),
        ({"column": "a", "text": {"kBest": 0}}, "features[0].text.kBest: is at least 1, not 0"),
        ({"column": "a", "text": {"minDf": 1.5}}, "features[0].text.minDf: is a number of texts or a share of them, not 1.5"),
        ({"column": "a", "format": "%Y"}, "features[0].format: means nothing without `datetime`"),
        ({"column": "a", "unseen": "error"}, "features[0].unseen: means nothing without `encode`"),
        ({"column": "a", "encode": "oneHot", "unseen": "infrequent"}, "features[0].unseen: `infrequent` needs `encode: oneHot` and `minFrequency`"),
        ({"column": "a", "params": {"b": 1}}, "features[0].params: means nothing without `use`"),
        ({"column": "a", "use": "Double"}, "features[0].use: 'Double' is no import path (package.module.Class); a class of your own needs `code`"),
    ],
)  # fmt: skip
def test_a_mistake_in_an_entry_is_named(feature: dict[str, Any], expected: str) -> None:
    assert expected in problems(features=[feature], columns={"exclude": ["gone"]})


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"split": {"group": "g", "stratify": True}}, "split.group: does not go with `stratify`: name one of them"),
        ({"split": {"group": "g", "time": "t"}}, "split.group: does not go with `time`: name one of them"),
        ({"split": {"folds": 1}}, "split.folds: needs at least 2 folds, not 1"),
        ({"split": {"folds": 3, "time": "t"}}, "split.folds: does not go with `time`: `cv.time` of `train` makes folds in order"),
        ({"split": {"group": "g"}, "columns": {"exclude": ["g"]}}, "split.group: 'g' is left out by `columns.exclude`: take it out of one of the two"),
        ({"keep": ["label"]}, "keep: 'label' is the target, which stays anyhow"),
        ({"code": {"source": "class Double(:"}, "features": [{"column": "a", "use": "Double"}]}, "code.source: line 1: invalid syntax"),
        ({"code": {"source": "class X:\n    pass", "file": "x.py"}, "features": [{"column": "a", "use": "Y"}]}, "features[0].use: the code has no class 'Y'; it has: X"),
        ({"code": {"file": "x.py"}}, "code.file: is read by mlwf, into `source`: `mlwf submit` this workflow, or put the code into `source`"),
        ({"code": {}}, "code: name one of: source, file"),
        ({"remainder": "drop"}, "remainder: is for what `features` does not name"),
    ],
)  # fmt: skip
def test_so_is_one_beside_them(body: dict[str, Any], expected: str) -> None:
    assert problems(**body) == [expected]


def test_a_preprocessor_is_only_there_where_features_are_declared() -> None:
    def plan(**body: Any) -> None:
        prep = {"source": {"sklearn": "iris"}, "target": "target", **body}
        train = {
            "name": "train",
            "inputs": {"train": {"from": "prep.train"}, "preprocessor": {"from": "prep.preprocessor"}},
            "train": {"estimator": "sklearn.svm.SVC"},
        }
        a_workflow().raw({"name": "prep", "prep": prep}).raw(train).plan()

    plan(features=[{"columns": ["sepal*"], "scale": "standard"}])
    with pytest.raises(SpecError, match=r"inputs.preprocessor.from: step 'prep' has no artifact 'preprocessor'"):
        plan()


def test_the_steps_that_the_documentation_shows_are_valid() -> None:
    page = (Path(__file__).parents[3] / "docs/concepts.md").read_text()
    (block,) = (text for text in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "{columns: [temp, hum]" in text)
    builder = a_workflow().param("table", "t.csv")
    for step in yaml.safe_load(block):
        builder = builder.raw(step)
    builder.plan()
