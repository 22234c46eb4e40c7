"""The fitted transformer that is stored: raw rows in, a frame of features out, whatever else the rows hold and in whatever order.

Built by `fit` and by nothing else; stored and loaded by skops as an object of this class.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer

from mlworkflow_steps.data.sparse import frame_of
from mlworkflow_steps.errors import SpecInvalid, StepFailure, first_line
from mlworkflow_steps.features.build import Block, column_transformer
from mlworkflow_steps.features.transformers import packed, unpacked


class Features(BaseEstimator):  # type: ignore[misc]
    """`inputs` are the columns that it reads: {name, type}, with the categories of those that are of that type."""

    def __init__(self, columns: ColumnTransformer | None, inputs: list[dict[str, Any]], outputs: Sequence[str]) -> None:
        self.columns = columns
        self.inputs = inputs
        self.outputs = outputs

    def transform(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The features of raw rows, with their index. Raises StepFailure: ColumnNotFound, ColumnInvalid, and what scikit-learn raises of a value."""
        assert self.columns is not None
        made = self.columns.transform(self._read(rows))
        return _as_frame(made, rows.index, self.outputs)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray[Any, Any]:
        return np.asarray(self.outputs, dtype=object)

    def _read(self, rows: pd.DataFrame) -> pd.DataFrame:
        missing = [each["name"] for each in self.inputs if each["name"] not in rows]
        if missing:
            raise StepFailure(
                "ColumnNotFound", f"the rows lack columns that features are made of: {', '.join(missing)}"
            )
        return pd.DataFrame({each["name"]: _typed(rows[each["name"]], each) for each in self.inputs}, index=rows.index)

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "outputs": packed(self.outputs)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__({**state, "outputs": unpacked(state["outputs"])})


def fit(blocks: Sequence[Block], rows: pd.DataFrame, target: np.ndarray[Any, Any]) -> tuple[Features, pd.DataFrame]:
    """The transformer, fitted to these rows and no others, and their features. Raises StepFailure that names the entry that cannot be fitted."""
    names = list(dict.fromkeys(name for block in blocks for name in block.columns))
    features = Features(None, [_input(rows[name]) for name in names], [])
    raw = features._read(rows)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"k=\d+ is greater than n_features", UserWarning)  # then all of them are kept
        try:
            features.columns = column_transformer(blocks)
            made = features.columns.fit_transform(raw, target)
            features.outputs = _names(features.columns, blocks)
        except (ValueError, TypeError, AttributeError) as error:
            raise _blamed(blocks, raw, target, error) from error
    return features, _as_frame(made, rows.index, features.outputs)


def _input(values: pd.Series) -> dict[str, Any]:
    described: dict[str, Any] = {"name": str(values.name), "type": str(values.dtype)}
    if isinstance(values.dtype, pd.CategoricalDtype):
        described["categories"] = list(values.cat.categories)
    return described


def _typed(values: pd.Series, wanted: dict[str, Any]) -> pd.Series:
    """Values as they were typed at training, so that a row means the same whatever file it comes from."""
    if "categories" in wanted:
        return values.astype(pd.CategoricalDtype(wanted["categories"]))
    if wanted["type"].lower().startswith(("int", "uint", "float", "bool")):
        try:
            numbers = pd.to_numeric(values)
        except (ValueError, TypeError) as error:
            raise StepFailure(
                "ColumnInvalid", f"column '{values.name}' held numbers at training: {first_line(error)}"
            ) from error
        plain = isinstance(numbers.dtype, np.dtype) and numbers.dtype.kind in "iuf"
        return numbers if plain else numbers.astype(np.float64)
    if pd.api.types.is_datetime64_any_dtype(values):
        return values
    texts = values.astype(object)
    return texts.where(texts.notna(), np.nan).map(str, na_action="ignore")


def _as_frame(made: Any, index: pd.Index, names: Sequence[str]) -> pd.DataFrame:
    if isinstance(made, pd.DataFrame):
        return made.set_axis(list(names), axis="columns")
    matrix = sparse.csr_matrix(made, dtype=np.float64)
    matrix.sort_indices()
    return frame_of(matrix, names, index)


def _names(fitted: ColumnTransformer, blocks: Sequence[Block]) -> list[str]:
    """`temp`, `season_2`, `dteday_hour`, `text: good film`. Raises SpecInvalid where two entries make the same."""
    prefixes = {block.label: block.prefix for block in blocks}
    split = [str(name).partition("__") for name in fitted.get_feature_names_out()]
    names = [f"{prefixes[label]}{name}" for label, _, name in split]
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        paths = {block.label: block.path for block in blocks}
        makers = dict.fromkeys(paths[label] for (label, _, _), name in zip(split, names, strict=True) if name == twice)
        raise SpecInvalid(
            list(makers)[-1], f"makes a feature '{twice}', as {next(iter(makers))} does: give one a `name`"
        )
    return names


def _blamed(blocks: Sequence[Block], raw: pd.DataFrame, target: np.ndarray[Any, Any], error: Exception) -> StepFailure:
    """The failure with the entry that it comes from, found by fitting each alone."""
    for block in blocks:
        try:
            alone = column_transformer([block])
            alone.fit_transform(raw, target)
            alone.get_feature_names_out()
        except Exception as its_own:
            hint = ""
            if "get_feature_names_out" in str(its_own) or "2D" in str(its_own):
                hint = "; a transformer of your own has `get_feature_names_out`, or gives a DataFrame"
            return StepFailure("FeaturesInvalid", f"{block.path}: {first_line(its_own)}{hint}")
    return StepFailure("FeaturesInvalid", f"prep.features: {first_line(error)}")
