"""`train`: fit an estimator to a table."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from mlworkflow.core.kinds._kind import Kind, built_in
from mlworkflow.core.values import Boolean, ExpressionText, Fields, Integer, Json, Number


class CrossValidation(Fields, frozen=True):
    """How the folds are made. Default: stratified for classes, plain otherwise."""

    folds: Annotated[Integer, Meta(description="Number of folds, at least 2.")] = 5
    stratify: Annotated[
        Boolean | UnsetType,
        Meta(description="Keep the classes' shares in each fold. With `groups` only where this says so."),
    ] = UNSET
    shuffle: Annotated[Boolean, Meta(description="Shuffle before splitting.")] = False
    seed: Annotated[Integer, Meta(description="Seed of the shuffle.")] = 0
    groups: Annotated[
        str | UnsetType, Meta(description="A column: rows with the same value are never in two folds.")
    ] = UNSET
    time: Annotated[
        bool | str,
        Meta(
            description="Each fold is predicted from what was before it. `true`: in the order of the table; a column's name: in its order, and rows of the same time "
            "are never divided."
        ),
    ] = False
    fold: Annotated[
        str | UnsetType,
        Meta(description="A column that says which fold a row is in, whatever its values; `folds` is not looked at."),
    ] = UNSET


class EarlyStopping(Fields, frozen=True):
    """Trains in rounds, a round being a tree, an iteration of boosting, or a pass over the rows. After each few rounds the score on what is held back is
    a metric (`validation_<score>`) with the rounds as its step. The best number of rounds then is that of a fit on all rows."""

    score: Annotated[
        str | UnsetType,
        Meta(description="Default: `accuracy`, `rmse`, `f1_micro` for several labels, or `r2` for several quantities."),
    ] = UNSET
    rounds: Annotated[Integer | UnsetType, Meta(description="At most. Default: the estimator's own number.")] = UNSET
    every: Annotated[
        Integer | UnsetType, Meta(description="Rounds between two scores. Default: 10, and 1 for passes over the rows.")
    ] = UNSET
    patience: Annotated[Integer, Meta(description="Stops after so many scores that are no better than the best.")] = 5
    min_delta: Annotated[Number, Meta(description="By how much a score has to be better to count.")] = 0.0
    validation: Annotated[
        Number,
        Meta(
            description="The share of the rows that is held back: the latest with `cv.time`, whole groups with `cv.groups`. The input `validation` stands for it."
        ),
    ] = 0.1


class Partition(Fields, frozen=True):
    """A model for each value of a column, and one of all rows, the parent, which predicts for values that have none of their own, for new ones and for none."""

    by: Annotated[
        str, Meta(min_length=1, description="The column, of at most 1,000 values. It is no feature of the models.")
    ]
    min_rows: Annotated[Integer, Meta(description="A value with fewer rows falls back to the parent.")] = 50
    min_metric: Annotated[
        dict[str, Number],
        Meta(
            description="Score → limit: a value whose mean over its own folds does not reach it falls back to the parent. An error must not be above its limit, any other score not below."
        ),
    ] = {}


class Card(Fields, frozen=True):
    """What the author says of the model, in Markdown. Everything else in the card follows from the training."""

    strict: Annotated[
        Boolean, Meta(description="Without `intendedUse`, `limitations` and `owner` the step fails before it runs.")
    ] = False
    name: Annotated[str | UnsetType, Meta(description="The title.")] = UNSET
    description: Annotated[str | UnsetType, Meta(description="What the model does, in a few sentences.")] = UNSET
    intended_use: Annotated[str | UnsetType, Meta(description="What it is meant for, and for whom.")] = UNSET
    out_of_scope: Annotated[str | UnsetType, Meta(description="What it is not meant for.")] = UNSET
    limitations: Annotated[str | UnsetType, Meta(description="Where it is known to be wrong.")] = UNSET
    ethics: Annotated[str | UnsetType, Meta(description="Whom it may harm, and what was done about it.")] = UNSET
    owner: Annotated[str | UnsetType, Meta(description="Who answers for it.")] = UNSET
    license: Annotated[str | UnsetType, Meta(description="Under which terms it may be used.")] = UNSET


MANDATORY = ("intended_use", "limitations", "owner")
"""Of a card that is strict."""


class Train(Fields, frozen=True):
    """Cross-validates where asked, fits on the whole training part, and leaves `model`: a bundle with the whole fitted pipeline.

    The task follows from the estimator and the target: `classification`, `regression`, `multilabel` (several columns of 0 and 1, or one that holds
    lists of labels), `multioutput` (several quantities, a column each), `clustering` (a target, if there is one, is only compared with). Columns that say something about the rows (`sampleWeight`,
    `cv.groups`, `cv.time`, `cv.fold`, `partition.by`) are no features.

    Every score is an output parameter: `cv_<score>` and `cv_<score>_std`, `fold_<score>` with a value per fold, `validation_<score>` and `rounds`; of clusters `clusters`,
    `silhouette`, `davies_bouldin`, `calinski_harabasz`, `inertia`, and `adjusted_rand`, `adjusted_mutual_info` and `v_measure` against a target;
    of a partitioned model those of the parent, and `partitions` (value → folder of its model), `partition_count` and `fallback_count`.

    Optional inputs: `preprocessor`, which `prep` has fitted with `features` and which becomes part of the model, and `validation`, rows to score and to stop early by, which no model is fitted to.
    """

    estimator: Annotated[
        Json,
        Meta(
            description="An estimator by its import path (`sklearn.ensemble.RandomForestClassifier`), `{use: path, params: {…}}`, or "
            "`{pipeline: [{name, use, params}, …]}`; a pipeline's part may be `{columns: [{use, params, select: [column, …]}], remainder: passthrough}`. "
            "`select: column`, without brackets, is a column of texts for a vectorizer."
        ),
    ]
    params: Annotated[
        dict[str, Json],
        Meta(
            description="Parameters of the estimator. In a pipeline `part__name`; a name that the pipeline does not know goes to its last part."
        ),
    ] = {}
    target: Annotated[
        str | list[str] | UnsetType,
        Meta(
            description="The column to predict; several are labels, or quantities, as the estimator predicts the one or the other. Default: the one that `prep` named."
        ),
    ] = UNSET
    cv: Annotated[
        int | CrossValidation | ExpressionText | UnsetType,
        Meta(description="Cross-validate: a number of folds, or how they are made."),
    ] = UNSET
    scoring: Annotated[
        list[str] | UnsetType,
        Meta(
            description="Scores of the folds and of the input `validation`. Default: `accuracy`; `rmse`, `mae` and `r2`, of several quantities the means over them; `f1_micro`, `subset_accuracy` and "
            "`hamming_loss` for several labels; all of them for clusters."
        ),
    ] = UNSET
    sample_weight: Annotated[
        str | UnsetType,
        Meta(description="A column that says how much a row counts in fitting. In scores every row counts once."),
    ] = UNSET
    class_weight: Annotated[
        Literal["balanced"] | dict[str, Number] | UnsetType,
        Meta(
            description="How much a class counts in fitting: `balanced`, or class → weight, 1 where nothing is said. It multiplies `sampleWeight`."
        ),
    ] = UNSET
    early_stopping: Annotated[
        EarlyStopping | UnsetType, Meta(description="As many rounds as rows that are held back say are good.")
    ] = UNSET
    partition: Annotated[
        Partition | UnsetType, Meta(description="One model for each value of a column, with a fallback.")
    ] = UNSET
    card: Annotated[
        Card, Meta(description="What the model card (`card.md` in the model) says beside what is known.")
    ] = Card()
    onnx: Annotated[
        Boolean,
        Meta(
            description="Leave the model as ONNX too (`model.onnx`), where that can be and says the same within 1e-5; if not, `bundle.json` says why. Takes the extra `onnx` in the step's image."
        ),
    ] = False
    seed: Annotated[Integer, Meta(description="Sets every `random_state`. Same seed and data, same bytes.")] = 0


def _check(body: Train) -> list[tuple[str, str]]:
    problems = _folds(body.cv) if isinstance(body.cv, CrossValidation | int) else []
    if not isinstance(body.estimator, str | dict):
        problems.append(("estimator", "is an import path or an object"))
    if body.target == []:
        problems.append(("target", "names at least one column"))
    stopping = body.early_stopping
    if stopping is not UNSET and isinstance(stopping.validation, float) and not 0 < stopping.validation < 1:
        problems.append(("earlyStopping.validation", f"is a share above 0 and below 1, not {stopping.validation:g}"))
    if body.partition is not UNSET and body.partition.min_metric and body.cv is UNSET:
        problems.append(
            ("partition.minMetric", "is about the mean over the folds, so `cv` has to say how they are made")
        )
    missing = [name for name in MANDATORY if body.card.strict is True and not _is_given(getattr(body.card, name))]
    return problems + [(f"card.{_camel(name)}", "is missing, and the card is strict") for name in missing]


def _is_given(text: str | UnsetType) -> bool:
    return text is not UNSET and bool(text.strip())


def _camel(name: str) -> str:
    """A field as the resource has it."""
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def _folds(cv: CrossValidation | int) -> list[tuple[str, str]]:
    folds = cv if isinstance(cv, int) else cv.folds
    if isinstance(folds, int) and folds < 2:
        return [("cv", f"needs at least 2 folds, not {folds}")]
    if isinstance(cv, int):
        return []
    ways = [name for name in ("groups", "time", "fold") if getattr(cv, name)]
    if len(ways) > 1:
        return [(f"cv.{ways[1]}", f"does not go with `{ways[0]}`: folds are made in one way")]
    if ways and ways != ["groups"] and True in (cv.shuffle, cv.stratify):
        return [(f"cv.{ways[0]}", "says which rows belong together: neither `shuffle` nor `stratify` goes with it")]
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
  cv: {folds: 5, groups: patient}
  classWeight: balanced
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
