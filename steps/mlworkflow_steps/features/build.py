"""From entries to a scikit-learn ColumnTransformer, not fitted yet: everything an entry can say is scikit-learn's own, but for the parts of a moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.feature_selection import SelectKBest, f_classif, f_regression
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    Binarizer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)

from mlworkflow_steps.data.table import Task
from mlworkflow_steps.errors import StepFailure
from mlworkflow_steps.features.declared import Entry, Text
from mlworkflow_steps.features.transformers import DatetimeParts, Ngrams
from mlworkflow_steps.models.estimator import build, set_seed

_SCALERS = {"standard": StandardScaler, "minMax": MinMaxScaler, "maxAbs": MaxAbsScaler, "robust": RobustScaler}
_STRATEGIES = {"mean": "mean", "median": "median", "mostFrequent": "most_frequent"}
_UNSEEN = {"ignore": "ignore", "error": "error", "infrequent": "infrequent_if_exist"}
_ANALYZERS = {"word": "word", "char": "char", "charWithinWords": "char_wb"}


@dataclass(frozen=True, slots=True)
class Block:
    """Some columns and what is made of them. `path` is where the spec says so; `prefix` begins the names of its features; `label` is its name within the ColumnTransformer."""

    label: str
    path: str
    columns: list[str]
    transformer: Any
    prefix: str = ""

    @property
    def is_text(self) -> bool:
        return isinstance(self.transformer, Pipeline) and isinstance(self.transformer.steps[0][1], Ngrams)


def blocks_of(
    entries: Sequence[Entry],
    frame: pd.DataFrame,
    hidden: Sequence[str],
    *,
    task: Task,
    seed: int,
    allowed: tuple[str, ...],
    module: str = "",
) -> list[Block]:
    """The blocks of all entries. `frame` has the columns that there are, `hidden` those that patterns leave out; `module` is that of the user's code."""
    blocks: list[Block] = []
    for number, entry in enumerate(entries):
        columns = entry.resolve([str(name) for name in frame], hidden)
        prefix = f"{entry.name}_" if entry.name else ""
        if entry.text is not None:
            for column in columns:
                label = f"{number}.{len(blocks)}"
                text = _text(entry.text, task)
                blocks.append(Block(label, entry.path, [column], text, prefix or f"{column}: "))
            continue
        _check_types(entry, frame[columns])
        steps = _steps(entry, allowed, seed, module)
        made = Pipeline(steps) if steps else "passthrough"
        blocks.append(Block(str(number), entry.path, columns, made, prefix))
    return blocks


def remainder_of(blocks: Sequence[Block], frame: pd.DataFrame, hidden: Sequence[str]) -> Block | None:
    """What no entry names, as it is. Raises StepFailure (ColumnInvalid) where a column of it is nothing that an estimator can take."""
    named = {name for block in blocks for name in block.columns}
    rest = [str(name) for name in frame if name not in named and name not in hidden]
    categories = any(block.is_text for block in blocks)
    for name in rest:
        values = frame[name]
        if pd.api.types.is_numeric_dtype(values) or (isinstance(values.dtype, pd.CategoricalDtype) and not categories):
            continue
        raise StepFailure(
            "ColumnInvalid",
            f"prep.features: column '{name}' holds {values.dtype} values and no entry says what becomes of them: name it in an entry (encode, datetime, text), "
            "leave it out (columns.exclude), keep it beside the features (keep), or drop what is not named (remainder: drop)",
        )
    return Block("rest", "prep.remainder", rest, "passthrough") if rest else None


def column_transformer(blocks: Sequence[Block]) -> ColumnTransformer:
    """Sparse where there is a text, else a frame whose columns keep their types."""
    is_sparse = any(block.is_text for block in blocks)
    parts = [(block.label, block.transformer, block.columns[0] if block.is_text else block.columns) for block in blocks]
    made = ColumnTransformer(parts, sparse_threshold=1.0)
    if is_sparse:
        return made
    for _, transformer, _ in parts:
        if transformer != "passthrough":
            transformer.set_params(
                **{name: False for name in transformer.get_params() if name.endswith("sparse_output")}
            )
    return made.set_output(transform="pandas")


def _steps(entry: Entry, allowed: tuple[str, ...], seed: int, module: str) -> list[tuple[str, Any]]:
    steps: list[tuple[str, Any]] = []
    if entry.datetime:
        steps.append(("datetime", DatetimeParts(list(entry.datetime), entry.format)))
    if entry.impute is not None:
        steps.append(("impute", SimpleImputer(strategy=_STRATEGIES[entry.impute], keep_empty_features=True)))
    if entry.fill is not None:
        steps.append(("impute", SimpleImputer(strategy="constant", fill_value=entry.fill, keep_empty_features=True)))
    if entry.scale is not None:
        steps.append(("scale", _SCALERS[entry.scale]()))
    if entry.binarize is not None:
        steps.append(("binarize", Binarizer(threshold=entry.binarize)))
    if entry.encode is not None:
        steps.append(("encode", _encoder(entry)))
    if entry.use is not None:
        steps.append(("use", _used(entry, allowed, seed, module)))
    return steps


def _encoder(entry: Entry) -> Any:
    if entry.encode == "oneHot":
        return OneHotEncoder(handle_unknown=_UNSEEN[entry.unseen], min_frequency=entry.min_frequency)
    unseen: Mapping[str, Any] = {"handle_unknown": "error"}
    if entry.unseen == "ignore":
        unseen = {"handle_unknown": "use_encoded_value", "unknown_value": -1}
    return OrdinalEncoder(min_frequency=entry.min_frequency, **unseen)


def _used(entry: Entry, allowed: tuple[str, ...], seed: int, module: str) -> Any:
    assert entry.use is not None
    spec = entry.use
    if module and "." not in spec["use"]:
        spec, allowed = {**spec, "use": f"{module}.{spec['use']}"}, (*allowed, f"{module}.")
    transformer = build(spec, allowed, entry.path)
    if not hasattr(transformer, "transform"):
        raise StepFailure(
            "EstimatorInvalid", f"{entry.path}.use: '{entry.use['use']}' transforms nothing: it has no `transform`"
        )
    set_seed(transformer, seed)
    return transformer


def _text(text: Text, task: Task) -> Pipeline:
    ngrams = Ngrams(
        ngram_range=text.ngrams,
        min_df=text.min_df,
        max_df=text.max_df,
        analyzer=_ANALYZERS[text.analyzer],
        strip_accents=None if text.strip_accents == "none" else text.strip_accents,
        sublinear_tf=text.sublinear,
    )
    score = f_regression if task == "regression" else f_classif
    return Pipeline([("ngrams", ngrams), ("best", SelectKBest(score, k=text.k_best))])


def _check_types(entry: Entry, frame: pd.DataFrame) -> None:
    """What needs numbers gets numbers. Raises StepFailure (ColumnInvalid) that names the column and a value of it."""
    needs = next((name for name in ("scale", "binarize") if getattr(entry, name) is not None), "")
    needs = needs or (f"impute: {entry.impute}" if entry.impute in ("mean", "median") else "")
    if not needs or entry.datetime:
        return
    for name in frame:
        if not pd.api.types.is_numeric_dtype(frame[name]):
            present = frame[name].dropna()
            example = f" such as {present.iloc[0]!r}" if len(present) else ""
            raise StepFailure(
                "ColumnInvalid",
                f"{entry.path}: column '{name}' holds {frame[name].dtype} values{example}, and `{needs}` needs numbers: encode it, or name its type in prep.columns.types",
            )
