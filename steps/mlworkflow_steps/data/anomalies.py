"""What can be wrong with data, each with a code, and what each means for the step: it blocks, warns, or is not looked at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, TypeAlias, get_args

from mlworkflow_steps.errors import SpecInvalid
from mlworkflow_steps.spec import Fields

Level: TypeAlias = Literal["block", "warn", "ignore"]

DEFAULT_LEVELS: Mapping[str, Level] = {
    "NoRows": "block",
    "ColumnMissing": "block",
    "ColumnExtra": "warn",
    "TypeChanged": "block",
    "OutOfRange": "block",
    "NewCategory": "block",
    "MissingValues": "block",
    "LabelAbsent": "block",
    "LabelUnseen": "block",
    "TargetLeakage": "block",
    "SplitOverlap": "block",
    "Drift": "warn",
    "Skew": "warn",
}
"""Code → level, in the order in which anomalies are told."""

_ORDER = {code: place for place, code in enumerate(DEFAULT_LEVELS)}
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One thing that is wrong. `table` is the input that it is in; `rows` how many are concerned, where it can be counted; `examples` are values.

    A `minor` one warns unless its level is declared.
    """

    code: str
    table: str
    columns: tuple[str, ...]
    message: str
    rows: int | None = None
    examples: tuple[Any, ...] = ()
    minor: bool = False
    level: Level = "block"

    def as_json(self) -> dict[str, Any]:
        facts = asdict(self)
        del facts["minor"]
        return {"level": facts.pop("level"), **facts}


@dataclass(frozen=True, slots=True)
class Levels:
    """The levels that the spec declares, over the defaults."""

    declared: Mapping[str, Level] = field(default_factory=dict)

    @classmethod
    def parse(cls, fields: Fields, names: Iterable[str], over: Mapping[str, Level] | None = None) -> Levels:
        """Those of these `names` in the spec, over those `over` the defaults. Raises StepFailure that names the field."""
        declared = dict(over or {})
        for name in names:
            if name not in DEFAULT_LEVELS:
                raise SpecInvalid(fields.where(name), f"is no anomaly; known are: {', '.join(DEFAULT_LEVELS)}")
            level = fields.get(name)
            if level not in get_args(Level):
                raise SpecInvalid(fields.where(name), f"must be one of {', '.join(get_args(Level))}, not {level!r}")
            declared[name] = level
        return cls(declared)

    def judged(self, found: Sequence[Anomaly]) -> list[Anomaly]:
        """The anomalies with their levels, blocking ones first, without those that nobody wants to know of."""
        levelled = [replace(anomaly, level=self._of(anomaly)) for anomaly in found]
        kept = [anomaly for anomaly in levelled if anomaly.level != "ignore"]
        return sorted(kept, key=lambda each: (each.level != "block", _ORDER[each.code], each.table))

    def _of(self, anomaly: Anomaly) -> Level:
        default: Level = "warn" if anomaly.minor else DEFAULT_LEVELS[anomaly.code]
        return self.declared.get(anomaly.code, default)


def blocking(anomalies: Sequence[Anomaly]) -> list[Anomaly]:
    return [anomaly for anomaly in anomalies if anomaly.level == "block"]


def summary(anomalies: Sequence[Anomaly]) -> str:
    """The first ones by name, as the status of the workflow says it."""
    named = "; ".join(f"{anomaly.code}: {anomaly.message}" for anomaly in anomalies[:_NAMED])
    more = len(anomalies) - _NAMED
    return f"{named}; and {more} more, see the report" if more > 0 else named
