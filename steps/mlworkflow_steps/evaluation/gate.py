"""What a model must reach, and every rule's verdict with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mlworkflow_steps.errors import SpecInvalid
from mlworkflow_steps.models.scores import SCORES
from mlworkflow_steps.spec import Fields

Rule = Literal["min", "max", "minDelta", "minSamples", "canServe"]
JUDGED_SLICE = 30
_MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a metric's value, and of how much better than the champion's it is."""

    min: float | None
    max: float | None
    min_delta: float | None
    min_samples: int

    @classmethod
    def read(cls, fields: Fields, samples: int) -> Limits:
        limits = cls(
            min=fields.number("min"),
            max=fields.number("max"),
            min_delta=fields.number("minDelta"),
            min_samples=fields.integer("minSamples", samples, at_least=1),
        )
        if limits.min is not None and limits.max is not None and limits.min > limits.max:
            raise SpecInvalid(fields.path, f"min {limits.min:g} is above max {limits.max:g}: nothing can pass")
        return limits

    @property
    def is_empty(self) -> bool:
        return self.min is None and self.max is None and self.min_delta is None


@dataclass(frozen=True, slots=True)
class Bound:
    """Of the whole table, and of each slice."""

    whole: Limits
    slices: Limits | None

    @classmethod
    def parse(cls, fields: Fields) -> Bound:
        whole = Limits.read(fields, 1)
        slices = None
        if fields.has("slices"):
            inner = fields.child("slices")
            slices = Limits.read(inner, JUDGED_SLICE)
            inner.done()
            if slices.is_empty:
                raise SpecInvalid(inner.path, "needs `min`, `max` or `minDelta`")
        fields.done()
        if whole.is_empty and slices is None and whole.min_samples == 1:
            raise SpecInvalid(fields.path, "needs `min`, `max`, `minDelta`, `minSamples` or `slices`")
        return cls(whole, slices)


@dataclass(frozen=True, slots=True)
class Measured:
    """What the rules look at: metrics of the model, and of the champion where there is one, on `rows` rows; `slice` "" is the whole table."""

    values: Mapping[str, float]
    champion: Mapping[str, float] | None
    rows: int
    slice: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One rule and how the model stands to it. `value` None: not judged, for the reason in `note`. `champion` is its metric, where the rule compares."""

    metric: str
    bound: Rule
    limit: float
    value: float | None
    slice: str = ""
    rows: int = 0
    champion: float | None = None
    note: str = ""

    @property
    def passed(self) -> bool:
        return self.value is None or self.margin >= 0

    @property
    def reached(self) -> float:
        """What the limit is for: the value, or by how much it is better than the champion's."""
        assert self.value is not None
        if self.bound == "minDelta":
            assert self.champion is not None
            return SCORES[self.metric].better_by(self.value, self.champion)
        return self.value

    @property
    def margin(self) -> float:
        """How far inside the limit; below zero it does not hold."""
        return self.limit - self.reached if self.bound == "max" else self.reached - self.limit

    @property
    def message(self) -> str:
        """As the status of the workflow says it, for a rule that does not hold."""
        if self.bound == "canServe":
            return f"the model cannot be served: {self.note}"
        assert self.value is not None
        where = f"in slice {self.slice} ({self.rows:,} rows) " if self.slice else ""
        if self.bound == "minSamples":
            return f"{where}{self.metric} rests on {self.value:,.0f} rows, and the gate asks for {self.limit:,.0f}"
        if self.bound == "minDelta":
            return f"{where}{self._comparison()}"
        side, word = ("below", "minimum") if self.bound == "min" else ("above", "maximum")
        return f"{where}{self.metric} {apart(self.value, self.limit)} is {side} the gate's {word} {self.limit:g}"

    def _comparison(self) -> str:
        assert self.value is not None
        assert self.champion is not None
        by = self.reached
        how = f"only {by:.3g} better than" if by > 0 else f"{-by:.3g} worse than" if by < 0 else "the same as"
        other = f"the champion's {apart(self.champion, self.value)}"
        return f"{self.metric} {apart(self.value, self.champion)} is {how} {other}, and the gate's minDelta is {self.limit:g}"


def apart(value: float, other: float) -> str:
    """A number with digits enough that it never looks the same as another one."""
    return next(
        (text for digits in range(3, 17) if (text := f"{value:.{digits}g}") != f"{other:.{digits}g}"), str(value)
    )


def checks_of(gate: Mapping[str, Bound], whole: Measured, slices: list[Measured]) -> list[Check]:
    """Every rule of the gate, in its order: of each metric the whole table first."""
    found: list[Check] = []
    for metric, bound in gate.items():
        found += _checks(metric, bound.whole, whole)
        if bound.slices is not None:
            for part in slices:
                found += _checks(metric, bound.slices, part)
    return found


def served(error: str, image: str = "") -> Check:
    """The verdict on whether the model can be loaded and predicts where it is to be served: `error` is "" where it does, `image` where it is not this one."""
    return Check(
        "", "canServe", 1.0, 0.0 if error else 1.0, note=": ".join(filter(None, (image and f"in {image}", error)))
    )


def rejection(checks: list[Check]) -> str:
    """Every rule that does not hold, in one sentence; "" where all hold."""
    failed = [check.message for check in checks if not check.passed]
    more = f"; and {len(failed) - _MOST_NAMED} more, which the report names" if len(failed) > _MOST_NAMED else ""
    return "; ".join(failed[:_MOST_NAMED]) + more


def _checks(metric: str, limits: Limits, measured: Measured) -> list[Check]:
    def check(bound: Rule, limit: float, value: float | None, note: str = "", champion: float | None = None) -> Check:
        return Check(metric, bound, limit, value, measured.slice, measured.rows, champion, note)

    value, note = measured.values.get(metric), ""
    found: list[Check] = []
    if measured.rows < limits.min_samples:
        if not measured.slice:
            return [check("minSamples", limits.min_samples, measured.rows)]
        value, note = None, f"fewer than {limits.min_samples:,} rows"
    elif value is None:
        note = f"needs {SCORES[metric].needs}"
    elif not measured.slice and limits.min_samples > 1:
        found.append(check("minSamples", limits.min_samples, measured.rows))
    if limits.min is not None:
        found.append(check("min", limits.min, value, note))
    if limits.max is not None:
        found.append(check("max", limits.max, value, note))
    if limits.min_delta is not None:
        champion = (measured.champion or {}).get(metric)
        if champion is None:
            why = note or ("there is no champion" if measured.champion is None else f"the champion has none: it needs {SCORES[metric].needs}")  # fmt: skip
            found.append(check("minDelta", limits.min_delta, None, why))
        else:
            found.append(check("minDelta", limits.min_delta, value, note, champion))
    return found
