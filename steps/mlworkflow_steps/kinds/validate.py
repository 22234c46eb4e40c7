"""`validate`: tables held against a schema, a reference and each other; every anomaly in one pass, and the verdict."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mlworkflow_steps.context import Context
from mlworkflow_steps.data.anomalies import Anomaly, Levels, blocking, summary
from mlworkflow_steps.data.columncheck import check_columns
from mlworkflow_steps.data.drift import Difference, Limits, differences, drifted
from mlworkflow_steps.data.leakage import leakage
from mlworkflow_steps.data.overlap import overlap
from mlworkflow_steps.data.schema import Schema
from mlworkflow_steps.data.sources import Source, load
from mlworkflow_steps.data.sparse import sparse_names
from mlworkflow_steps.data.table import task_of
from mlworkflow_steps.errors import SpecInvalid, StepFailure, first_line
from mlworkflow_steps.report.validate_page import Findings, validate_page
from mlworkflow_steps.spec import Fields

_ENVIRONMENTS = ("training", "serving")
_TRAIN, _TEST, _TABLE, _REFERENCE, _SCHEMA = "train", "test", "table", "reference", "schema"


@dataclass(frozen=True, slots=True)
class Validate:
    """The spec of the kind, parsed. `rules` are those over the schema's, by column."""

    source: Source | None
    target: str | None
    is_serving: bool
    schema: Any
    rules: Mapping[str, Any]
    levels: Levels
    drift: Limits

    @classmethod
    def parse(cls, spec: Mapping[str, Any]) -> Validate:
        fields = Fields(spec, "validate")
        environment = fields.get("environment", "training")
        if environment not in _ENVIRONMENTS:
            raise SpecInvalid(fields.where("environment"), f"must be training or serving, not {environment!r}")
        parsed = cls(
            source=Source.parse(fields.child("source")) if fields.has("source") else None,
            target=fields.text("target"),
            is_serving=environment == "serving",
            schema=fields.get("schema"),
            rules=fields.mapping("columns"),
            levels=Levels.parse(fields.child("level"), fields.mapping("level")),
            drift=Limits.parse(fields.child("drift")),
        )
        fields.done()
        return parsed


def run(context: Context) -> None:
    """Leaves schema, anomalies and report. Raises StepFailure (DataInvalid) after that, where an anomaly blocks."""
    spec = Validate.parse(context.spec)
    tables, named = _tables(context, spec)
    reference = _read(context, _REFERENCE) if _has(context, _REFERENCE) else None
    if reference and reference[0].empty:
        raise StepFailure("SourceInvalid", "the input 'reference' has no rows: nothing can be compared with it")
    schema = _schema(context, spec, reference[0] if reference else next(iter(tables.values())), named or (reference[1] if reference else ""))  # fmt: skip
    found = Findings(
        anomalies=[],
        schema=schema,
        rows={name: len(frame) for name, frame in tables.items()},
        comparison=_REFERENCE if reference else _TRAIN,
        differences=_differences(tables, reference[0] if reference else None, schema, spec),
        measure=spec.drift.measure,
        threshold=spec.drift.threshold,
    )
    found.anomalies.extend(spec.levels.judged(_anomalies(tables, schema, found, spec)))
    _leave(context, found)
    if blocks := blocking(found.anomalies):
        raise StepFailure("DataInvalid", summary(blocks))


def _has(context: Context, name: str) -> bool:
    return (context.inputs / name).exists()


def _tables(context: Context, spec: Validate) -> tuple[dict[str, pd.DataFrame], str]:
    """The tables to check by the name of their input, and the target that the first one names."""
    names = [name for name in (_TRAIN, _TEST) if _has(context, name)] or ([_TABLE] if _has(context, _TABLE) else [])
    if spec.source is not None:
        if names:
            raise SpecInvalid("validate.source", f"does not go with the input '{names[0]}': one of them is the table")
        loaded = load(spec.source, context)
        return {_TABLE: _named(loaded.frame)}, loaded.target
    if not names or (_has(context, _TABLE) and names != [_TABLE]):
        raise StepFailure(
            "InputMissing", "the step needs the input `table`, or the inputs `train` and `test`, or a `source`"
        )
    read = {name: _read(context, name) for name in names}
    return {name: frame for name, (frame, _) in read.items()}, next(iter(read.values()))[1]


def _read(context: Context, name: str) -> tuple[pd.DataFrame, str]:
    """Without the words of texts, of which there are thousands: what is wrong with a text is to be seen before `features`."""
    loaded = load(Source("input", name, None, f"inputs.{name}"), context)
    words = sparse_names(loaded.frame)
    if words:
        print(f"inputs.{name}: {len(words)} sparse features are not looked at; give it the table before `features`")
    return _named(loaded.frame.drop(columns=words) if words else loaded.frame), loaded.target


def _named(frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.set_axis(frame.columns.map(str), axis="columns").reset_index(drop=True)
    if not frame.columns.is_unique:
        raise StepFailure("SourceInvalid", f"column '{frame.columns[frame.columns.duplicated()][0]}' is there twice")
    return frame


def _schema(context: Context, spec: Validate, good: pd.DataFrame, target: str) -> Schema:
    """The schema that is given, else the one that the reference, or the first table, has; with the rules of the spec over it."""
    if spec.schema is not None:
        schema = Schema.parse(spec.schema, "validate.schema")
    elif _has(context, _SCHEMA):
        try:
            schema = Schema.parse(json.loads(context.input(_SCHEMA).read_text(encoding="utf-8")), "schema")
        except (ValueError, OSError) as error:
            raise StepFailure("SchemaInvalid", f"the input 'schema' is no JSON: {first_line(error)}") from error
    else:
        schema = Schema.infer(good, spec.target or target)
    if spec.target and spec.target != schema.target:
        schema = schema.with_target(spec.target)
    return schema.with_rules(Fields(spec.rules, "validate.columns"), spec.rules)


def _differences(
    tables: Mapping[str, pd.DataFrame], reference: pd.DataFrame | None, schema: Schema, spec: Validate
) -> dict[str, list[Difference]]:
    """By table: how it differs from the reference; without one, how the test table differs from the training table."""
    before = reference if reference is not None else tables.get(_TRAIN)
    if before is None:
        return {}
    unlabelled = before.drop(columns=schema.target, errors="ignore") if spec.is_serving else before
    others = {name: frame for name, frame in tables.items() if frame is not before}
    return {
        name: differences(unlabelled, frame, spec.drift, _TRAIN if reference is None else _REFERENCE)
        for name, frame in others.items()
    }


def _anomalies(tables: Mapping[str, pd.DataFrame], schema: Schema, found: Findings, spec: Validate) -> list[Anomaly]:
    anomalies: list[Anomaly] = []
    for name, frame in tables.items():
        anomalies += check_columns(frame, schema, name, labelled=not spec.is_serving)
        if not spec.is_serving and schema.target in frame and name != _TEST:
            anomalies += leakage(frame, schema.target, schema.task or task_of(frame[schema.target]), name)
    if _TRAIN in tables and _TEST in tables:
        anomalies += overlap(tables[_TRAIN], tables[_TEST])
    code = "Drift" if found.comparison == _REFERENCE else "Skew"
    for name, compared in found.differences.items():
        for each in compared:
            if each.drifted:
                message = f"'{each.column}' is not distributed as in the {found.comparison} table ({each.words(found.measure)})"
                anomalies.append(Anomaly(code, name, (each.column,), message))
    return anomalies


def _leave(context: Context, found: Findings) -> None:
    blocks = blocking(found.anomalies)
    documents = {
        "schema": found.schema.as_json(),
        "anomalies": {
            "format": 1,
            "passed": not blocks,
            "rows": found.rows,
            "anomalies": [anomaly.as_json() for anomaly in found.anomalies],
            "compared": {name: [each.as_json() for each in compared] for name, compared in found.differences.items()},
        },
    }
    for name, document in documents.items():
        context.output(name).write_text(
            json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False) + "\n", encoding="utf-8"
        )
    page = validate_page(found, f"{context.workflow} / {context.step}", context.digests)
    context.output("report").write_text(page, encoding="utf-8")
    columns = [column for compared in found.differences.values() for column in drifted(compared)]
    parameters = {
        "passed": not blocks,
        "anomaly_count": len(found.anomalies),
        "blocking_count": len(blocks),
        "codes": list(dict.fromkeys(anomaly.code for anomaly in found.anomalies)),
        "drifted": list(dict.fromkeys(columns)),
        "rows": sum(found.rows.values()),
    }
    for name, value in parameters.items():
        context.set_parameter(name, value)
    for anomaly in found.anomalies:
        print(f"{anomaly.level} {anomaly.code} ({anomaly.table}): {anomaly.message}")
    print(
        f"{len(blocks)} blocking, {len(found.anomalies) - len(blocks)} to warn of, in {sum(found.rows.values())} rows"
    )
