"""The `features` of a `prep` step, parsed: which columns, and what becomes of them. Pure; imports no library."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mlworkflow_steps.errors import SpecInvalid, StepFailure
from mlworkflow_steps.spec import Fields

PARTS = (
    "year", "quarter", "month", "week", "day", "dayofweek", "dayofyear", "hour", "minute", "second", "epoch",
)  # fmt: skip
LAST = ("scale", "binarize", "encode", "text", "use")
"""What ends an entry: at most one of these."""

_CHOICES = {
    "impute": ("mean", "median", "mostFrequent"),
    "scale": ("standard", "minMax", "maxAbs", "robust"),
    "encode": ("oneHot", "ordinal"),
    "unseen": ("ignore", "error", "infrequent"),
    "analyzer": ("word", "char", "charWithinWords"),
    "stripAccents": ("unicode", "ascii", "none"),
}


@dataclass(frozen=True, slots=True)
class Text:
    """Words and sequences of words, by tf-idf. A document frequency is a number of texts (int) or a share of them (float)."""

    ngrams: tuple[int, int]
    min_df: int | float
    max_df: int | float
    k_best: int
    analyzer: str
    strip_accents: str
    sublinear: bool

    @classmethod
    def parse(cls, fields: Fields) -> Text:
        ngrams = fields.get("ngrams", [1, 2])
        if not isinstance(ngrams, list) or len(ngrams) != 2 or not all(isinstance(each, int) for each in ngrams):
            raise SpecInvalid(
                fields.where("ngrams"), f"is a shortest and a longest length, such as [1, 2], not {ngrams}"
            )
        parsed = cls(
            ngrams=(ngrams[0], ngrams[1]),
            min_df=_frequency(fields, "minDf", 2, whole=1),
            max_df=_frequency(fields, "maxDf", 1.0, whole=2),
            k_best=fields.integer("kBest", 20_000, at_least=1),
            analyzer=_choice(fields, "analyzer") or "word",
            strip_accents=_choice(fields, "stripAccents") or "unicode",
            sublinear=fields.boolean("sublinear", default=False),
        )
        fields.done()
        return parsed


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. `columns` may hold patterns; `fill` is None where no value is given; `use` is {use, params} of a transformer, by its import path or as a class of the user's code."""

    path: str
    columns: tuple[str, ...]
    name: str
    datetime: tuple[str, ...]
    format: str | None
    impute: str | None
    fill: Any
    scale: str | None
    binarize: float | None
    encode: str | None
    unseen: str
    min_frequency: int | float | None
    text: Text | None
    use: dict[str, Any] | None

    @classmethod
    def parse(cls, fields: Fields) -> Entry:
        form = fields.exactly_one(("column", "columns"))
        one, several = fields.text("column"), fields.texts("columns")
        entry = cls(
            path=fields.path,
            columns=tuple(several or [one or ""]),
            name=fields.text("name") or "",
            datetime=_parts(fields),
            format=fields.text("format"),
            impute=_choice(fields, "impute"),
            fill=fields.get("fill"),
            scale=_choice(fields, "scale"),
            binarize=fields.number("binarize"),
            encode=_choice(fields, "encode"),
            unseen=_choice(fields, "unseen") or "ignore",
            min_frequency=_frequency(fields, "minFrequency", None, whole=1),
            text=Text.parse(fields.child("text")) if fields.has("text") else None,
            use={"use": fields.text("use"), "params": fields.mapping("params")} if fields.has("use") else None,
        )
        fields.mapping("params")
        fields.done()
        if not all(entry.columns):
            raise SpecInvalid(fields.where(form), "must name a column")
        given = [name for name in LAST if getattr(entry, name) is not None]
        if len(given) > 1:
            raise SpecInvalid(fields.where(given[1]), f"does not go with `{given[0]}`: make two entries")
        return entry

    def resolve(self, available: Sequence[str], hidden: Sequence[str]) -> list[str]:
        """The columns of the table that are meant, in the entry's order. A pattern stands for none of the `hidden` ones. Raises StepFailure."""
        found: dict[str, None] = {}
        for pattern in self.columns:
            if pattern in available:
                found[pattern] = None
                continue
            wanted = re.compile(re.escape(pattern).replace(r"\*", ".*"), re.DOTALL)
            matching = [name for name in available if "*" in pattern and name not in hidden and wanted.fullmatch(name)]
            if not matching:
                what = (
                    f"no column is called as '{pattern}' says"
                    if "*" in pattern
                    else f"the table has no column '{pattern}'"
                )
                raise StepFailure("ColumnNotFound", f"{self.path}: {what}; it has: {', '.join(available)}")
            found.update(dict.fromkeys(matching))
        return list(found)


def entries_of(fields: Fields) -> list[Entry] | None:
    """The entries, or None where there are no `features`. Raises SpecInvalid."""
    if not fields.has("features"):
        return None
    specs = fields.objects("features")
    return [Entry.parse(Fields(spec, f"{fields.where('features')}[{index}]")) for index, spec in enumerate(specs)]


def _choice(fields: Fields, name: str) -> str | None:
    value = fields.text(name)
    if value is not None and value not in _CHOICES[name]:
        raise SpecInvalid(fields.where(name), f"must be one of {', '.join(_CHOICES[name])}, not '{value}'")
    return value


def _parts(fields: Fields) -> tuple[str, ...]:
    parts = fields.texts("datetime") or []
    for part in parts:
        if part not in PARTS:
            raise SpecInvalid(
                fields.where("datetime"), f"'{part}' is no part of a moment; these are: {', '.join(PARTS)}"
            )
    return tuple(parts)


def _frequency(fields: Fields, name: str, default: Any, *, whole: int) -> Any:
    """From `whole` on a number of rows (int), below that a share of them (float): 1 is one row as a least frequency, and all of them as a highest."""
    value = fields.number(name)
    if value is None:
        return default
    if value <= 0 or (value > 1 and value % 1):
        raise SpecInvalid(fields.where(name), f"is a number of rows or a share of them, not {value}")
    return int(value) if value >= whole else float(value)
