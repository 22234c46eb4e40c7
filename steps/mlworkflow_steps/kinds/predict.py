"""`predict`: a model's answers for the rows of a table, part by part, and how unlike these rows are those that it was trained on."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from mlworkflow_steps.context import Context
from mlworkflow_steps.data.anomalies import Anomaly, Level, Levels, blocking, summary
from mlworkflow_steps.data.drift import Difference, Limits, differences
from mlworkflow_steps.data.marginals import with_words
from mlworkflow_steps.data.rows import RowWriter
from mlworkflow_steps.data.statistics import plain
from mlworkflow_steps.data.stream import Checked, Sample
from mlworkflow_steps.data.table import FEATURES, read_batches
from mlworkflow_steps.errors import SpecInvalid, StepFailure, first_line
from mlworkflow_steps.models import loading
from mlworkflow_steps.models.answers import PREDICTION, PROBABILITY, answers
from mlworkflow_steps.report.predict_page import Answered, predict_page
from mlworkflow_steps.spec import Fields

_BATCH = 20_000
_SAMPLED = 5_000
_TABLE = "data"
_MODEL, _NAME = "model", "model_name"
_LEVELS: Mapping[str, Level] = {"OutOfRange": "warn", "NewCategory": "warn", "MissingValues": "warn"}
"""What is no reason not to predict a row, over the defaults of `validate`."""


@dataclass(frozen=True, slots=True)
class Predict:
    """The spec of the kind, parsed."""

    keep: list[str]
    probabilities: bool
    name: str | None
    batch: int
    other_features: bool
    levels: Levels
    skew: Limits

    @classmethod
    def parse(cls, spec: Mapping[str, Any]) -> Predict:
        fields = Fields(spec, "predict")
        parsed = cls(
            keep=fields.texts("keep") or [],
            probabilities=fields.boolean("probabilities", default=False),
            name=fields.text("name"),
            batch=fields.integer("batch", _BATCH, at_least=1),
            other_features=fields.boolean("otherFeatures", default=False),
            levels=Levels.parse(fields.child("level"), fields.mapping("level"), _LEVELS),
            skew=Limits.parse(fields.child("skew")),
        )
        fields.done()
        for index, name in enumerate(parsed.keep):
            if name in (PREDICTION, _MODEL, _NAME) or name.startswith((f"{PREDICTION}_", f"{PROBABILITY}_")):
                raise SpecInvalid(f"predict.keep[{index}]", f"'{name}' is the name of a column that predictions have")
        return parsed


@dataclass(slots=True)
class _Seen:
    """What is known of the rows that have gone by."""

    checked: Checked
    sample: Sample = field(default_factory=lambda: Sample(_SAMPLED))
    predicted: Sample = field(default_factory=lambda: Sample(_SAMPLED))
    labels: Counter[Any] = field(default_factory=Counter)
    totals: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    is_raw: bool = True


def run(context: Context) -> None:
    """Leaves predictions, skew and report. Raises StepFailure: DataInvalid after that, where an anomaly blocks; ColumnNotFound, FeatureCodeMismatch, PredictFailed at once."""
    spec = Predict.parse(context.spec)
    model = loading.load(context.input("model"))
    if spec.probabilities and not hasattr(model, "predict_proba"):
        raise SpecInvalid("predict.probabilities", "the model gives none: leave it out, or train an estimator that has `predict_proba`")  # fmt: skip
    seen = _Seen(Checked(model.schema, _TABLE))
    with RowWriter(context.output("predictions")) as writer:
        for table in read_batches(context.input(_TABLE), spec.batch):
            writer.write(_part(context, spec, model, table.frame, seen))
    _leave(context, spec, _answered(context, spec, model, seen))


def _part(context: Context, spec: Predict, model: Any, frame: pd.DataFrame, seen: _Seen) -> dict[str, Any]:
    """The columns of one part of the predictions."""
    if frame.empty:
        raise StepFailure("DataInvalid", "the input 'data' has no rows to predict")
    frame = frame.set_axis(frame.columns.map(str), axis="columns")
    if spec.other_features and FEATURES in frame.attrs:
        frame.attrs = {FEATURES: model.manifest.features_digest} if model.manifest.features_digest else {}
    for index, name in enumerate(spec.keep):
        if name not in frame:
            raise StepFailure("ColumnNotFound", f"predict.keep[{index}]: the table has no column '{name}'; it has: {', '.join(frame.columns)}")  # fmt: skip
    rows = model.columns_of(frame)
    seen.is_raw = FEATURES not in frame.attrs
    if seen.is_raw:
        seen.checked.add(rows)
    try:
        found = answers(model, rows, probabilities=spec.probabilities)
    except (ValueError, TypeError) as error:
        wrong = [each for each in seen.checked.anomalies() if each.code in ("TypeChanged", "NewCategory", "MissingValues")]  # fmt: skip
        because = f" ({summary(wrong)})" if wrong else ""
        raise StepFailure("PredictFailed", f"the model cannot predict rows {seen.rows:,} and on: {first_line(error)}{because}") from error  # fmt: skip
    _note(seen, model, rows, found)
    own = {_MODEL: pa.repeat(context.digests.get("model", ""), len(frame))}
    if spec.name:
        own[_NAME] = pa.repeat(spec.name, len(frame))
    return {**{name: frame[name] for name in spec.keep}, **found, **own}


def _note(seen: _Seen, model: Any, rows: pd.DataFrame, found: Mapping[str, Any]) -> None:
    seen.rows += len(rows)
    seen.sample.add(rows)
    several = {name: found[f"{PREDICTION}_{name}"] for name in model.manifest.outputs}
    if model.task in ("regression", "multioutput"):
        values = several or {model.manifest.target: found[PREDICTION]}
        seen.totals.update({name: float(np.sum(each)) for name, each in values.items()})
        seen.predicted.add(pd.DataFrame(values))
    elif several:
        seen.labels.update({name: int(each.sum()) for name, each in several.items()})
    else:
        seen.labels.update(plain(label) for label in found[PREDICTION].tolist())


def _answered(context: Context, spec: Predict, model: Any, seen: _Seen) -> Answered:
    """The whole, when all rows have gone by."""
    sample = seen.sample.rows()
    before = model.statistics if seen.is_raw else None
    compared = [] if before is None else _compared(before, sample, model, spec)
    anomalies = seen.checked.anomalies() if seen.is_raw else []
    anomalies += [
        Anomaly("Skew", _TABLE, (each.column,), f"'{each.column}' is not distributed as in the training table ({each.words(spec.skew.measure)})")
        for each in compared
        if each.drifted
    ]  # fmt: skip
    return Answered(
        manifest=model.manifest,
        anomalies=spec.levels.judged(anomalies),
        differences=compared,
        limits=spec.skew,
        rows=seen.rows,
        sampled=len(sample),
        is_compared=before is not None,
        labels=dict(seen.labels),
        means={name: total / seen.rows for name, total in seen.totals.items()},
        values=seen.predicted.rows(),
        digests=context.digests,
        name=spec.name or "",
    )


def _compared(before: pd.DataFrame, now: pd.DataFrame, model: Any, spec: Predict) -> list[Difference]:
    """Of texts the words are counted, on either side."""
    counted = [name for name, rule in model.schema.columns.items() if rule.type == "text" and name in before and name in now]  # fmt: skip
    return differences(before, with_words(now, counted), spec.skew, "training")


def _leave(context: Context, spec: Predict, answered: Answered) -> None:
    blocks = blocking(answered.anomalies)
    text = json.dumps(answered.as_json(), indent=2, allow_nan=False, ensure_ascii=False)
    context.output("skew").write_text(text + "\n", encoding="utf-8")
    page = predict_page(answered, f"{context.workflow} / {context.step}")
    context.output("report").write_text(page, encoding="utf-8")
    context.set_text("model", context.digests.get("model", ""))
    skewed = [each.column for each in answered.differences if each.drifted]
    for name, value in {"rows": answered.rows, "skewed": skewed, "anomaly_count": len(answered.anomalies)}.items():
        context.set_parameter(name, value)
    for anomaly in answered.anomalies:
        print(f"{anomaly.level} {anomaly.code}: {anomaly.message}")
    print(f"{answered.rows:,} rows predicted by {spec.name or context.digests.get('model', 'the model')}")
    if blocks:
        raise StepFailure("DataInvalid", summary(blocks))
