"""Transformers that scikit-learn has not, or that it would store at length.

They are named in every preprocessor and model that was stored with them: what is renamed here can no longer be loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.utils.validation import check_is_fitted

from mlworkflow_steps.errors import first_line

_ISO = "ISO8601"
_CALLED = {"dayofweek": "day_of_week", "dayofyear": "day_of_year"}


class DatetimeParts(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Moments to numbers: a feature `<column>_<part>` for each, missing where the moment is.

    Nothing is learnt, and nothing is guessed: a text is read as ISO 8601, or as `format` says, so that a row means the same whichever rows come with it.
    """

    def __init__(self, parts: Sequence[str] = ("hour",), format: str | None = None) -> None:
        self.parts = parts
        self.format = format

    def fit(self, frame: pd.DataFrame, target: Any = None) -> DatetimeParts:
        self.feature_names_in_ = np.asarray(frame.columns, dtype=object)
        return self

    def transform(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Raises ValueError that names the column, where a value is no moment."""
        moments = {str(name): _moments(frame[name], self.format) for name in frame}
        return pd.DataFrame(
            {f"{name}_{part}": _part(times, part) for name, times in moments.items() for part in self.parts},
            index=frame.index,
        )

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray[Any, Any]:
        check_is_fitted(self)
        return np.asarray([f"{name}_{part}" for name in self.feature_names_in_ for part in self.parts], dtype=object)


class Ngrams(TfidfVectorizer):  # type: ignore[misc]
    """scikit-learn's vectorizer, for which a missing text has no words, and whose vocabulary is stored as one array: it may have a million entries."""

    def decode(self, doc: Any) -> str:
        return str(super().decode("" if pd.isna(doc) else doc))

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = dict(super().__getstate__())
        state.pop("_stop_words_id", None)  # an address in memory
        state.pop("stop_words_", None)  # of no use to anything that is fitted
        if "vocabulary_" in state:
            terms = sorted(state["vocabulary_"], key=state["vocabulary_"].__getitem__)
            state["vocabulary_"] = packed(terms)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "vocabulary_" in state:
            state = state | {"vocabulary_": {term: place for place, term in enumerate(unpacked(state["vocabulary_"]))}}
        super().__setstate__(state)


def packed(texts: Sequence[str]) -> np.ndarray[Any, Any]:
    """Texts as one array of bytes, each ended by a zero. None of them holds a zero itself."""
    return np.frombuffer("".join(f"{text}\0" for text in texts).encode("utf-8", "surrogatepass"), dtype=np.uint8)


def unpacked(data: np.ndarray[Any, Any]) -> list[str]:
    """The texts of `packed`."""
    return data.tobytes().decode("utf-8", "surrogatepass").split("\0")[:-1]


def _moments(values: pd.Series, format_: str | None) -> pd.Series:
    if pd.api.types.is_datetime64_any_dtype(values):
        return values
    if pd.api.types.is_numeric_dtype(values) and values.notna().any():
        raise ValueError(f"column '{values.name}' holds numbers, which are no moments")
    try:
        return pd.Series(pd.to_datetime(values.astype(object), format=format_ or _ISO), index=values.index)
    except (ValueError, TypeError) as error:
        hint = "" if format_ else "; `format` says how moments are written that are not in ISO 8601"
        raise ValueError(f"column '{values.name}' cannot be read as moments: {first_line(error)}{hint}") from error


def _part(times: pd.Series, part: str) -> pd.Series:
    if part == "week":
        weeks: pd.Series = times.dt.isocalendar()["week"]
        return weeks.astype(np.float64)
    if part == "epoch":
        start = pd.Timestamp(0, tz=None if times.dt.tz is None else "UTC")
        return pd.Series((times - start) / pd.Timedelta(seconds=1), index=times.index)
    values: pd.Series = getattr(times.dt, _CALLED.get(part, part))
    return values.astype(np.float64)
