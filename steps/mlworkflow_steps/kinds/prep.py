"""`prep`: a table from its source, its columns chosen and typed, divided into `train` and `test`, and described in `profile`.

With `features` the parts hold what a transformer makes of them that has seen the training part alone, and that is left as `preprocessor`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mlworkflow_steps.context import Context
from mlworkflow_steps.data.profile import profile
from mlworkflow_steps.data.sources import Source, load
from mlworkflow_steps.data.split import Positions, Split, divide, folds_of
from mlworkflow_steps.data.table import Table, Task, write_table
from mlworkflow_steps.errors import SpecInvalid, StepFailure, first_line
from mlworkflow_steps.features.declared import Entry, entries_of
from mlworkflow_steps.spec import Fields

_FOLD = "fold"
"""The column that has the fold of each row of the training part."""


@dataclass(frozen=True, slots=True)
class Prep:
    """The spec of the kind, parsed. `entries` are the features, None where the columns are taken as they are, and `declared` the same as the spec has them."""

    source: Source
    target: str
    include: list[str] | None
    exclude: list[str]
    types: dict[str, Any]
    split: Split
    entries: list[Entry] | None
    declared: list[Any]
    code: str
    remainder: str
    keep: list[str]

    @classmethod
    def parse(cls, spec: Mapping[str, Any]) -> Prep:
        fields = Fields(spec, "prep")
        columns = fields.child("columns")
        parsed = cls(
            source=Source.parse(fields.child("source")),
            target=fields.required_text("target"),
            include=columns.texts("include"),
            exclude=columns.texts("exclude") or [],
            types=columns.mapping("types"),
            split=Split.parse(fields.child("split")),
            entries=entries_of(fields),
            declared=fields.get("features", []),
            code=_code(fields.child("code")),
            remainder=fields.text("remainder") or "passthrough",
            keep=fields.texts("keep") or [],
        )
        columns.done()
        fields.done()
        for path, names in (("prep.columns.exclude", parsed.exclude), ("prep.keep", parsed.keep)):
            if parsed.target in names:
                raise SpecInvalid(path, f"'{parsed.target}' is the target and has to stay")
        return parsed


def run(context: Context) -> None:
    """Leaves train, test, profile, and the numbers of rows, features and classes."""
    spec = Prep.parse(context.spec)
    loaded = load(spec.source, context)
    whole = _typed(_chosen(loaded.frame, spec), spec.types)
    frame = whole[whole[spec.target].notna()].reset_index(drop=True)
    dropped = len(whole) - len(frame)
    if dropped:
        print(f"{dropped} of {len(whole)} rows have no value in the target column '{spec.target}' and are left out")
    train_rows, test_rows = divide(frame, spec.target, spec.split)
    train, test = (frame.iloc[rows].reset_index(drop=True) for rows in (train_rows, test_rows))
    facts = profile(frame, spec.target, train=train, test=test, origin=loaded.origin, dropped=dropped)
    folds = folds_of(train, spec.target, spec.split) if spec.split.folds else None
    tables = (
        _as_they_are(train, test, spec)
        if spec.entries is None
        else _featured(train, test, spec, context, facts["task"])
    )
    if folds is not None:
        tables = _with_folds(tables[0], folds, spec), tables[1]
    for name, table in zip(("train", "test"), tables, strict=True):
        write_table(Table(table.frame, spec.target, facts["task"], table.beside), context.output(name))
    context.output("profile").write_text(json.dumps(facts, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    features = tables[1].frame.shape[1] - 1 - len(tables[1].beside)
    for name in ("rows", "train_rows", "test_rows"):
        context.set_parameter(name, facts[name])
    context.set_parameter("features", features)
    if "classes" in facts:
        context.set_parameter("classes", len(facts["classes"]))
    print(
        f"{facts['rows']} rows, {features} features, target '{spec.target}' ({facts['task']}): {len(train)} to train, {len(test)} to test"
    )


def _as_they_are(train: pd.DataFrame, test: pd.DataFrame, spec: Prep) -> tuple[Table, Table]:
    return Table(train, beside=tuple(spec.keep)), Table(test, beside=tuple(spec.keep))


def _featured(train: pd.DataFrame, test: pd.DataFrame, spec: Prep, context: Context, task: Task) -> tuple[Table, Table]:
    """The features of both parts, with the target and what is kept beside them. Leaves `preprocessor`."""
    from mlworkflow_steps.features import build, fitted
    from mlworkflow_steps.features.code import import_source
    from mlworkflow_steps.models import preprocessor as stored
    from mlworkflow_steps.models.columns import values_of

    assert spec.entries is not None
    beside = list(dict.fromkeys([*spec.keep, *spec.split.columns.values()]))
    visible = train.drop(columns=spec.target)
    module = import_source(spec.code, "prep.code") if spec.code else ""
    blocks = build.blocks_of(
        spec.entries, visible, beside, task=task, seed=spec.split.seed, allowed=context.allowed_imports, module=module
    )
    if spec.remainder == "passthrough" and (rest := build.remainder_of(blocks, visible, beside)):
        blocks.append(rest)
    features, made = fitted.fit(blocks, visible, values_of(train[spec.target]))
    preprocessor = stored.write(
        context.output("preprocessor"),
        features,
        visible,
        declared=spec.declared,
        target=spec.target,
        sources={module: spec.code} if module else {},
    )
    # The test part goes through what has been stored and read again, as rows to predict will.
    tested = preprocessor.transform(test)
    made.attrs = dict(tested.attrs)
    kept = [name for name in beside if name not in made]
    print(
        f"{len(features.inputs)} columns to {made.shape[1]} features, learnt from the training part: {preprocessor.digest}"
    )
    return _beside(made, train, spec.target, kept), _beside(tested, test, spec.target, kept)


def _beside(made: pd.DataFrame, raw: pd.DataFrame, target: str, kept: list[str]) -> Table:
    if target in made:
        raise SpecInvalid(
            "prep.features", f"makes a feature that is called as the target '{target}': give its entry a `name`"
        )
    frame = pd.concat([made, raw[[*kept, target]]], axis="columns")
    frame.attrs = dict(made.attrs)
    return Table(frame, beside=tuple(kept))


def _with_folds(table: Table, folds: Positions, spec: Prep) -> Table:
    if _FOLD in table.frame:
        raise SpecInvalid("prep.split.folds", f"needs the name '{_FOLD}', which a column has already: leave it out")
    frame = table.frame.assign(**{_FOLD: folds})
    frame.attrs = dict(table.frame.attrs)
    return Table(frame, beside=(*table.beside, _FOLD))


def _code(fields: Fields) -> str:
    fields.text("file")
    source = fields.text("source") or ""
    fields.done()
    return source


def _chosen(frame: pd.DataFrame, spec: Prep) -> pd.DataFrame:
    """The columns to keep, in the order of the table."""
    frame = frame.set_axis(frame.columns.map(str), axis="columns")
    named = {
        "prep.target": [spec.target],
        "prep.columns.include": spec.include or [],
        "prep.columns.exclude": spec.exclude,
        "prep.columns.types": list(spec.types),
        "prep.keep": spec.keep,
    }
    for path, names in named.items():
        for name in names:
            if name not in frame:
                raise StepFailure(
                    "ColumnNotFound", f"{path}: the table has no column '{name}'; it has: {', '.join(frame.columns)}"
                )
    if not frame.columns.is_unique:
        raise StepFailure("SourceInvalid", f"column '{frame.columns[frame.columns.duplicated()][0]}' is there twice")
    wanted = set(frame.columns if spec.include is None else [*spec.include, spec.target]) - set(spec.exclude)
    chosen = frame[[name for name in frame.columns if name in wanted]]
    if chosen.shape[1] < 2 + len(spec.keep):
        raise SpecInvalid("prep.columns", "leaves no column but the target")
    return chosen


def _typed(frame: pd.DataFrame, types: Mapping[str, Any]) -> pd.DataFrame:
    for name, type_ in types.items():
        if name not in frame:
            raise SpecInvalid(f"prep.columns.types.{name}", "is not among the columns that are kept")
        try:
            frame = frame.assign(**{name: frame[name].astype(type_)})
        except (ValueError, TypeError, OverflowError) as error:
            raise StepFailure(
                "SourceInvalid", f"prep.columns.types.{name}: cannot be read as {type_}: {first_line(error)}"
            ) from error
    return frame
