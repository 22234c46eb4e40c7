"""`prep`: a table from its source, its columns chosen and typed, divided into `train` and `test`, and described in `profile`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mlworkflow_steps.context import Context
from mlworkflow_steps.data.profile import profile
from mlworkflow_steps.data.sources import Source, load
from mlworkflow_steps.data.split import Split, divide
from mlworkflow_steps.data.table import Table, write_table
from mlworkflow_steps.errors import SpecInvalid, StepFailure, first_line
from mlworkflow_steps.spec import Fields


@dataclass(frozen=True, slots=True)
class Prep:
    """The spec of the kind, parsed."""

    source: Source
    target: str
    include: list[str] | None
    exclude: list[str]
    types: dict[str, Any]
    split: Split

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
        )
        columns.done()
        fields.done()
        if parsed.target in parsed.exclude:
            raise SpecInvalid("prep.columns.exclude", f"'{parsed.target}' is the target and has to stay")
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
    write_table(Table(train, spec.target, facts["task"]), context.output("train"))
    write_table(Table(test, spec.target, facts["task"]), context.output("test"))
    context.output("profile").write_text(json.dumps(facts, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    for name in ("rows", "train_rows", "test_rows"):
        context.set_parameter(name, facts[name])
    context.set_parameter("features", frame.shape[1] - 1)
    if "classes" in facts:
        context.set_parameter("classes", len(facts["classes"]))
    print(
        f"{facts['rows']} rows, {frame.shape[1] - 1} features, target '{spec.target}' ({facts['task']}): {len(train)} to train, {len(test)} to test"
    )


def _chosen(frame: pd.DataFrame, spec: Prep) -> pd.DataFrame:
    """The columns to keep, in the order of the table."""
    frame = frame.set_axis(frame.columns.map(str), axis="columns")
    named = {
        "prep.target": [spec.target],
        "prep.columns.include": spec.include or [],
        "prep.columns.exclude": spec.exclude,
        "prep.columns.types": list(spec.types),
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
    if chosen.shape[1] < 2:
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
