"""A table held against its schema, every column in one pass. pandera does the checking; here is what is asked of it, and what its findings mean."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
import pandera.pandas as pandera
from pandera.errors import SchemaError, SchemaErrorReason, SchemaErrors

from mlworkflow_steps.data.anomalies import Anomaly
from mlworkflow_steps.data.kinds import TIME, Kind, is_quantity, kind_of, texts
from mlworkflow_steps.data.schema import Rule, Schema
from mlworkflow_steps.data.statistics import plain

EXAMPLES = 5
_FAMILY: Mapping[Kind, str] = {
    "integer": "quantity", "number": "quantity", "category": "label", "text": "label", "time": "label", "boolean": "boolean", "empty": "",
}  # fmt: skip
_SHOULD_HOLD: Mapping[Kind, str] = {
    "integer": "whole numbers", "number": "numbers", "boolean": "true and false", "time": "times", "category": "texts", "text": "texts", "empty": "nothing",
}  # fmt: skip


def check_columns(frame: pd.DataFrame, schema: Schema, table: str, *, labelled: bool) -> list[Anomaly]:
    """The anomalies of single columns. A table that is not `labelled` needs no target, and one that it has is not looked at."""
    if frame.empty:
        return [Anomaly("NoRows", table, (), "the table has no rows")]
    wanted = {name: rule for name, rule in schema.columns.items() if labelled or name != schema.target}
    known = frame if labelled else frame.drop(columns=schema.target, errors="ignore")
    found = list(_findings(known, wanted, schema, table))
    if labelled and schema.target and schema.target not in schema.columns and schema.target not in frame:
        found.append(_without_label(table, schema.target))
    return found


def _findings(frame: pd.DataFrame, wanted: dict[str, Rule], schema: Schema, table: str) -> Iterator[Anomaly]:
    columns = {
        name: pandera.Column(None, _checks(rule, frame[name], name == schema.target), nullable=True)
        if name in frame
        else pandera.Column(None)
        for name, rule in wanted.items()
    }
    try:
        pandera.DataFrameSchema(columns, strict=True).validate(frame.reset_index(drop=True), lazy=True)
    except SchemaErrors as errors:
        extra = [str(error.failure_cases) for error in errors.schema_errors if _check_name(error) == "column_in_schema"]
        for error in errors.schema_errors:
            if error.reason_code == SchemaErrorReason.CHECK_ERROR:
                raise RuntimeError(f"check {_check_name(error)} of a column broke: {error.failure_cases}") from error
            yield _anomaly(error, frame, wanted, schema, table, extra)


def _checks(rule: Rule, values: pd.Series, is_target: bool) -> list[pandera.Check]:
    """The checks of a column that is there. Its values are held against bounds and categories only if they are of the right type."""
    allowed = rule.missing
    checks = []
    if allowed is not None:
        code = "LabelAbsent" if is_target else "MissingValues"
        checks.append(pandera.Check(lambda column: bool(column.isna().mean() <= allowed), name=code, ignore_na=False))
    observed = kind_of(values)
    if (fits := _fitting(rule.type, observed)) is not None:
        checks.append(pandera.Check(fits, name="TypeChanged"))
    if _FAMILY[rule.type] != _FAMILY[observed]:
        return checks
    if is_quantity(observed) and (rule.min, rule.max) != (None, None):
        low, high = (-math.inf if rule.min is None else rule.min), (math.inf if rule.max is None else rule.max)
        checks.append(pandera.Check.in_range(low, high, name="OutOfRange"))
    if rule.categories is not None:
        code = "LabelUnseen" if is_target else "NewCategory"
        checks.append(pandera.Check(_belonging(rule.categories, observed), name=code))
    return checks


def _fitting(wanted: Kind, observed: Kind) -> Callable[[pd.Series], Any] | None:
    """Which values are of the wanted kind, as a check; None where the kinds say that all are."""
    if "empty" in (wanted, observed):
        return None
    if (wanted, observed) == ("integer", "number"):
        return lambda column: column % 1 == 0
    if _FAMILY[wanted] == "quantity" and _FAMILY[observed] == "label":
        return _only_if_some(lambda column: pd.to_numeric(column, errors="coerce").notna())
    if wanted == "time" and observed in ("category", "text"):
        return _only_if_some(lambda column: texts(column).str.fullmatch(TIME))
    return None if _FAMILY[wanted] == _FAMILY[observed] else lambda column: False


def _only_if_some(is_fit: Callable[[pd.Series], Any]) -> Callable[[pd.Series], Any]:
    """Rows that are fit are fine beside ones that are not; where all are, it is the column's type itself that changed."""

    def check(column: pd.Series) -> Any:
        fit = is_fit(column)
        return False if fit.all() else fit

    return check


def _belonging(categories: Sequence[Any], observed: Kind) -> Callable[[pd.Series], Any]:
    """Which values are among the categories, as a check."""
    if _FAMILY[observed] == "label":
        names = {str(label) for label in categories}
        return lambda column: texts(column).isin(names)
    known = {_label(label) for label in categories}
    return lambda column: column.isin([value for value in column.dropna().unique() if _label(value) in known])


def _label(value: Any) -> Any:
    """Labels as JSON has them: 1.0 is 1."""
    value = plain(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _check_name(error: SchemaError) -> str:
    return str(getattr(error.check, "name", error.check))


def _anomaly(
    error: SchemaError, frame: pd.DataFrame, wanted: dict[str, Rule], schema: Schema, table: str, extra: Sequence[str]
) -> Anomaly:
    code = _check_name(error)
    if code == "column_in_schema":
        name = str(error.failure_cases)
        return Anomaly("ColumnExtra", table, (name,), f"column '{name}' is not in the schema")
    if code == "column_in_dataframe":
        name = str(error.failure_cases)
        if name == schema.target:
            return _without_label(table, name)
        like = _likely_new_name(name, wanted[name], frame, extra)
        return Anomaly("ColumnMissing", table, (name,), f"column '{name}' is not there{f'; is it {like!r} now?' if like else ''}")  # fmt: skip
    name = str(error.schema.name)
    values = frame[name]
    if code in ("MissingValues", "LabelAbsent"):
        return gaps(code, table, name, wanted[name], int(values.isna().sum()), len(values))
    bad = _bad_values(error, values)
    examples = tuple(dict.fromkeys(plain(value) for value in bad))[:EXAMPLES]
    return bad_values(code, table, name, wanted[name], len(bad), examples)


def gaps(code: str, table: str, name: str, rule: Rule, missing: int, rows: int) -> Anomaly:
    """Too many missing values in a column."""
    words = (
        f"{missing:,} of {rows:,} values in '{name}' are missing ({missing / rows:.1%}); allowed: {rule.missing:.1%}"
    )
    return Anomaly(code, table, (name,), words, missing)


def bad_values(code: str, table: str, name: str, rule: Rule, rows: int, examples: tuple[Any, ...]) -> Anomaly:
    """Values of a column that break its rule, in so many rows."""
    shown = ", ".join(str(value)[:40] for value in examples)
    messages = {
        "TypeChanged": f"'{name}' should hold {_SHOULD_HOLD[rule.type]}; {rows:,} values are none: {shown}",
        "OutOfRange": f"{rows:,} values in '{name}' are outside {_span(rule)}: {shown}",
        "NewCategory": f"'{name}' has categories that the schema does not know: {shown} ({rows:,} rows)",
        "LabelUnseen": f"'{name}' has classes that the schema does not know: {shown} ({rows:,} rows)",
    }
    return Anomaly(code, table, (name,), messages[code], rows, examples)


def _bad_values(error: SchemaError, values: pd.Series) -> pd.Series:
    output = error.check_output
    if not isinstance(output, pd.Series):
        return values.dropna()
    bad = output.index[~output.astype(bool)]
    return values.reset_index(drop=True).loc[bad].dropna()


def _span(rule: Rule) -> str:
    low, high = ("…" if end is None else f"{end:g}" for end in (rule.min, rule.max))
    return f"{low} to {high}"


def _without_label(table: str, target: str) -> Anomaly:
    return Anomaly("LabelAbsent", table, (target,), f"the target column '{target}' is not there; rows to predict are checked with environment: serving")  # fmt: skip


def _likely_new_name(name: str, rule: Rule, frame: pd.DataFrame, extra: Sequence[str]) -> str:
    """A column that the schema does not know and that may be this one under another name."""
    alike = [other for other in extra if _fitting(rule.type, kind_of(frame[other])) is None]
    close = difflib.get_close_matches(name, alike, n=1, cutoff=0.5)
    return close[0] if close else alike[0] if len(alike) == len(extra) == 1 else ""
