"""What a column holds, whatever pandas keeps it in: a CSV with one gap turns whole numbers into floats, and they are whole numbers still."""

from __future__ import annotations

from typing import Literal, TypeAlias, cast, get_args

import pandas as pd

Kind: TypeAlias = Literal["integer", "number", "boolean", "time", "category", "text", "empty"]
"""`time`: a moment, or a text that is one (2026-11-30); `category`: texts out of a small set; `text`: any other; `empty`: nothing but missing values."""

MOST_CATEGORIES = 100
_ROWS_A_CATEGORY = 2
TIME = r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?"


def kind_of(values: pd.Series) -> Kind:
    """The kind of a column, from its values."""
    present = values.dropna()
    if present.empty:
        return "empty"
    if isinstance(values.dtype, pd.CategoricalDtype):
        return "category"
    if pd.api.types.is_bool_dtype(values):
        return "boolean"
    if pd.api.types.is_integer_dtype(values):
        return "integer"
    if pd.api.types.is_numeric_dtype(values):
        return "integer" if len(present) < len(values) and is_whole(present) else "number"
    if pd.api.types.is_datetime64_any_dtype(values):
        return "time"
    if values.dtype == object and all(isinstance(value, bool) for value in present):
        return "boolean"
    found = texts(present)
    if found.str.fullmatch(TIME).all():
        return "time"
    distinct = found.nunique()
    return "category" if distinct <= min(MOST_CATEGORIES, max(2, len(present) // _ROWS_A_CATEGORY)) else "text"


def kind_named(type_: str) -> Kind:
    """The kind of a column of which only the type is known, as pandas, or a kind itself, has it."""
    if type_ in get_args(Kind):
        return cast("Kind", type_)
    starts: dict[str, Kind] = {
        "int": "integer", "Int": "integer", "uint": "integer", "UInt": "integer", "float": "number", "Float": "number",
        "bool": "boolean", "datetime": "time", "category": "category",
    }  # fmt: skip
    return next((kind for start, kind in starts.items() if type_.startswith(start)), "text")


def is_whole(numbers: pd.Series) -> bool:
    """Whether numbers without gaps have no fractions."""
    return bool((numbers % 1 == 0).all())


def is_quantity(kind: Kind) -> bool:
    """Whether values of the kind can be added up."""
    return kind in ("integer", "number")


def texts(values: pd.Series) -> pd.Series:
    """The present values as texts; what is no text (a list in a Parquet file) as Python writes it."""
    return values.dropna().astype(object).map(str)
