"""Whether two tables come from the same source, column by column.

Numbers are compared by the Kolmogorov-Smirnov test, labels and numbers of few values by chi-square; how far apart they are is told by the
population stability index (PSI) and the Jensen-Shannon distance, over the reference's tenths or the labels. A column has drifted if the
difference is both no chance (the test, corrected for the number of columns) and large (the measure): a test alone finds a trifle in a large table, and a
measure alone finds noise in a small one. Missing values are left out: they are an anomaly of their own.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import special

from mlworkflow_steps.data.kinds import Kind, is_quantity, kind_of, texts
from mlworkflow_steps.errors import SpecInvalid
from mlworkflow_steps.spec import Fields

Array = np.ndarray[Any, np.dtype[np.float64]]

_TENTHS = 10
_FEW_VALUES = 10
_MOST_LABELS = 50
_FEWEST_ROWS = 5


@dataclass(frozen=True, slots=True)
class Limits:
    """`chance` is how likely it may be that any column of a table without drift is named; `threshold` what `measure` must reach. `path` is where the spec says so."""

    measure: Literal["psi", "js"]
    threshold: float
    chance: float
    columns: list[str] | None
    path: str

    @classmethod
    def parse(cls, fields: Fields) -> Limits:
        measure = fields.get("measure", "psi")
        if measure not in ("psi", "js"):
            raise SpecInvalid(fields.where("measure"), f"must be psi or js, not {measure!r}")
        threshold, chance = fields.number("threshold"), fields.number("chance")
        limits = cls(measure, 0.1 if threshold is None else threshold, 0.001 if chance is None else chance, fields.texts("columns"), fields.path)  # fmt: skip
        fields.done()
        if not 0 < limits.chance < 1:
            raise SpecInvalid(fields.where("chance"), f"is a probability above 0 and below 1, not {limits.chance}")
        return limits


@dataclass(frozen=True, slots=True)
class Difference:
    """How a column differs. `bins` names what the shares of `before` and `now` are of: labels, or edges of bins."""

    column: str
    test: Literal["ks", "chi2"]
    statistic: float
    p_value: float
    psi: float
    js: float
    drifted: bool
    bins: tuple[str, ...]
    before: tuple[float, ...]
    now: tuple[float, ...]

    def as_json(self) -> dict[str, Any]:
        shares = [
            {"bin": name, "before": old, "now": new}
            for name, old, new in zip(self.bins, self.before, self.now, strict=True)
        ]
        facts = {
            name: getattr(self, name) for name in ("column", "drifted", "test", "statistic", "p_value", "psi", "js")
        }
        return {**facts, "shares": shares}

    def words(self, measure: str) -> str:
        named = {"psi": f"PSI {self.psi:.2f}", "js": f"Jensen-Shannon distance {self.js:.2f}"}[measure]
        return f"{named}, {'Kolmogorov-Smirnov' if self.test == 'ks' else 'chi-square'} p {f'= {self.p_value:.2g}' if self.p_value else '< 1e-300'}"


def differences(before: pd.DataFrame, now: pd.DataFrame, limits: Limits, where: str = "reference") -> list[Difference]:
    """Every column that both tables have and that can be compared, in the order of the first. `where` names the first table in complaints."""
    for name in limits.columns or []:
        if name not in before:
            raise SpecInvalid(
                f"{limits.path}.columns",
                f"the {where} table has no column '{name}'; it has: {', '.join(map(str, before))}",
            )
    names = [str(name) for name in before if name in now and (limits.columns is None or name in limits.columns)]
    pairs = {name: pair for name in names if (pair := _comparable(before[name], now[name])) is not None}
    return [_difference(name, *pair, limits, len(pairs)) for name, pair in pairs.items()]


def _comparable(before: pd.Series, now: pd.Series) -> tuple[pd.Series, pd.Series, bool] | None:
    """The two columns as numbers, or as labels (the last is then true). Of free texts the words are counted; times always move on."""
    kinds: tuple[Kind, Kind] = kind_of(before), kind_of(now)
    if "empty" in kinds or "time" in kinds or is_quantity(kinds[0]) != is_quantity(kinds[1]):
        return None
    if min(before.notna().sum(), now.notna().sum()) < _FEWEST_ROWS:
        return None
    if is_quantity(kinds[0]):
        first, second = (values.dropna().astype(float) for values in (before, now))
        return first, second, first.nunique() <= _FEW_VALUES
    if kinds[0] == "text":
        first, second = (texts(values).str.split().map(len).astype(float) for values in (before, now))
        return first, second, False
    return texts(before), texts(now), True


def _difference(name: str, before: pd.Series, now: pd.Series, is_labels: bool, limits: Limits, columns: int) -> Difference:  # fmt: skip
    bins, counts = _label_counts(before, now) if is_labels else _bin_counts(before.to_numpy(), now.to_numpy())
    shares = (counts + 0.5) / (counts + 0.5).sum(axis=1, keepdims=True)
    psi, js = _psi(*shares), _js(*shares)
    statistic, p_value = _chi2(counts) if is_labels else _ks(before.to_numpy(), now.to_numpy())
    is_large = {"psi": psi, "js": js}[limits.measure] >= limits.threshold
    plain = counts / counts.sum(axis=1, keepdims=True)
    return Difference(
        column=name,
        test="chi2" if is_labels else "ks",
        statistic=statistic,
        p_value=p_value,
        psi=psi,
        js=js,
        drifted=is_large and p_value < limits.chance / columns,
        bins=tuple(bins),
        before=tuple(float(share) for share in plain[0]),
        now=tuple(float(share) for share in plain[1]),
    )


def _label_counts(before: pd.Series, now: pd.Series) -> tuple[list[str], Array]:
    counts = pd.DataFrame({"before": before.value_counts(), "now": now.value_counts()}).fillna(0.0).sort_index()
    counts = counts.sort_values("before", ascending=False, kind="stable")
    top, rest = counts.iloc[:_MOST_LABELS], counts.iloc[_MOST_LABELS:]
    labels = [f"{label:g}" if isinstance(label, float) else str(label) for label in top.index]
    values = top.to_numpy(float).T
    return (
        (labels, values) if rest.empty else ([*labels, "others"], np.column_stack([values, rest.sum().to_numpy(float)]))
    )


def _bin_counts(before: Array, now: Array) -> tuple[list[str], Array]:
    """Counts between the reference's tenths."""
    inner = np.unique(np.quantile(before[np.isfinite(before)], np.arange(1, _TENTHS) / _TENTHS)) if np.isfinite(before).any() else np.array([0.0])  # fmt: skip
    counts = [
        np.bincount(np.searchsorted(inner, values, side="right"), minlength=len(inner) + 1) for values in (before, now)
    ]
    ends = [f"{end:.4g}" for end in inner]
    bins = [
        f"below {ends[0]}",
        *(f"{low} to {high}" for low, high in itertools.pairwise(ends)),
        f"{ends[-1]} and above",
    ]
    return bins, np.array(counts, dtype=float)


def _psi(before: Array, now: Array) -> float:
    return float(((now - before) * np.log(now / before)).sum())


def _js(before: Array, now: Array) -> float:
    """The distance: the root of the divergence, in bits; 0 to 1."""
    middle = (before + now) / 2
    divergence = (before * np.log2(before / middle) + now * np.log2(now / middle)).sum() / 2
    return float(np.sqrt(max(0.0, divergence)))


def _ks(before: Array, now: Array) -> tuple[float, float]:
    """The largest distance of the distributions, and how likely chance makes it as large (asymptotic)."""
    first, second = np.sort(before), np.sort(now)
    places = np.concatenate([first, second])
    apart = np.searchsorted(first, places, side="right") / len(first) - np.searchsorted(
        second, places, side="right"
    ) / len(second)
    statistic = float(np.abs(apart).max())
    size = len(first) * len(second) / (len(first) + len(second))
    return statistic, float(special.kolmogorov(np.sqrt(size) * statistic))


def _chi2(counts: Array) -> tuple[float, float]:
    """Whether two rows of counts are of one distribution. Labels that are rare in both (fewer than 5 expected) are taken together."""
    counts = _without_rare(counts)
    if counts.shape[1] < 2:
        return 0.0, 1.0
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
    statistic = float(((counts - expected) ** 2 / expected).sum())
    return statistic, float(special.chdtrc(counts.shape[1] - 1, statistic))


def _without_rare(counts: Array) -> Array:
    smaller = counts.sum(axis=1).min() / counts.sum()
    rare = counts.sum(axis=0) * smaller < _FEWEST_ROWS
    if not rare.any():
        return counts
    together = counts[:, rare].sum(axis=1, keepdims=True)
    return np.column_stack([counts[:, ~rare], together]) if together.sum() else counts[:, ~rare]


def drifted(found: Sequence[Difference]) -> list[str]:
    return [difference.column for difference in found if difference.drifted]
