"""`train`: fit an estimator to a table."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from mlworkflow.core.kinds._kind import Kind, built_in
from mlworkflow.core.values import Boolean, ExpressionText, Fields, Integer, Json


class CrossValidation(Fields, frozen=True):
    """How the folds are made. Default: stratified for classes, plain otherwise."""

    folds: Annotated[Integer, Meta(description="Number of folds, at least 2.")] = 5
    stratify: Annotated[Boolean | UnsetType, Meta(description="Keep the classes' shares in each fold.")] = UNSET
    shuffle: Annotated[Boolean, Meta(description="Shuffle before splitting.")] = False
    seed: Annotated[Integer, Meta(description="Seed of the shuffle.")] = 0


class Train(Fields, frozen=True):
    """Cross-validates where asked, fits on the whole training part, and leaves `model`: a bundle with the whole fitted pipeline."""

    estimator: Annotated[
        Json,
        Meta(
            description="An estimator by its import path (`sklearn.ensemble.RandomForestClassifier`), `{use: path, params: {…}}`, or "
            "`{pipeline: [{name, use, params}, …]}`; a pipeline's part may be `{columns: [{use, params, select: [column, …]}], remainder: passthrough}`."
        ),
    ]
    params: Annotated[
        dict[str, Json],
        Meta(
            description="Parameters of the estimator. In a pipeline `part__name`; a name that the pipeline does not know goes to its last part."
        ),
    ] = {}
    target: Annotated[
        str | UnsetType, Meta(description="The column to predict. Default: the one that `prep` named.")
    ] = UNSET
    cv: Annotated[
        int | CrossValidation | ExpressionText | UnsetType,
        Meta(description="Cross-validate: a number of folds, or how they are made."),
    ] = UNSET
    scoring: Annotated[
        list[str] | UnsetType,
        Meta(description="Scores of the cross-validation. Default: `accuracy`, or `rmse`, `mae` and `r2`."),
    ] = UNSET
    seed: Annotated[Integer, Meta(description="Sets every `random_state`. Same seed and data, same bytes.")] = 0


def _check(body: Train) -> list[tuple[str, str]]:
    folds = body.cv.folds if isinstance(body.cv, CrossValidation) else body.cv
    if isinstance(folds, int) and folds < 2:
        return [("cv", f"needs at least 2 folds, not {folds}")]
    if not isinstance(body.estimator, str | dict):
        return [("estimator", "is an import path or an object")]
    return []


_EXAMPLE = """\
name: train
inputs: {train: {from: prep.train}}
train:
  estimator:
    pipeline:
      - {name: scale, use: sklearn.preprocessing.StandardScaler}
      - {name: forest, use: sklearn.ensemble.RandomForestClassifier, params: {n_estimators: 100}}
  params: {max_depth: 8}
  cv: 5
  seed: 7
"""

KIND = Kind(
    name="train",
    order=20,
    summary="fit an estimator to a table",
    body=Train,
    command=built_in("train"),
    inputs=("train",),
    outputs={"model": "directory"},
    open_parameters=True,
    takes_trial_params="params",
    is_cached=True,
    check=_check,
    example=_EXAMPLE,
)
