"""Reading the spec of a kind: typed, with the path of the field in every complaint, and no field left unread.

The operator has checked the spec against its schema before. This is for what expressions gave at run time, and for who runs a
step by hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from mlworkflow_steps.errors import SpecInvalid

T = TypeVar("T")


class Fields:
    """An object of the spec at `path`. Read every field it may have, then call `done`."""

    def __init__(self, value: Any, path: str) -> None:
        if not isinstance(value, Mapping):
            raise SpecInvalid(path, f"must be an object, not {describe(value)}")
        self._values: dict[str, Any] = dict(value)
        self._known: dict[str, None] = {}
        self.path = path

    def where(self, name: str) -> str:
        """The path of the field `name`."""
        return f"{self.path}.{name}"

    def get(self, name: str, default: Any = None) -> Any:
        """The field as it is; `null` counts as absent."""
        self._known[name] = None
        value = self._values.get(name)
        return default if value is None else value

    def has(self, name: str) -> bool:
        self._known[name] = None
        return self._values.get(name) is not None

    def text(self, name: str) -> str | None:
        return self._typed(name, str, "text")

    def required_text(self, name: str) -> str:
        value = self.text(name)
        if not value:
            raise SpecInvalid(self.where(name), "is missing")
        return value

    def boolean(self, name: str, default: bool) -> bool:
        value = self._typed(name, bool, "true or false")
        return default if value is None else value

    def integer(self, name: str, default: int, *, at_least: int, at_most: int | None = None) -> int:
        """A whole number; 3.0 counts as one, because JSON does not tell them apart."""
        value = self.number(name)
        if value is None:
            return default
        if value != int(value) or value < at_least or (at_most is not None and value > at_most):
            limits = f"of at least {at_least}" if at_most is None else f"from {at_least} to {at_most}"
            raise SpecInvalid(self.where(name), f"must be a whole number {limits}, not {describe(value)}")
        return int(value)

    def number(self, name: str) -> float | None:
        value = self.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise SpecInvalid(self.where(name), f"must be a number, not {describe(value)}")
        return value

    def texts(self, name: str) -> list[str] | None:
        values = self._typed(name, list, "a list")
        if values is not None and not all(isinstance(value, str) for value in values):
            raise SpecInvalid(self.where(name), "must be a list of texts")
        return values

    def objects(self, name: str) -> list[Any]:
        """A list that must be there and must not be empty."""
        values = self._typed(name, list, "a list")
        if not values:
            raise SpecInvalid(self.where(name), "must be a list with at least one entry")
        return values

    def mapping(self, name: str) -> dict[str, Any]:
        return self._typed(name, dict, "an object") or {}

    def child(self, name: str) -> Fields:
        """The object in the field `name`; an empty one where it is absent."""
        return Fields(self.get(name, {}), self.where(name))

    def exactly_one(self, names: Sequence[str]) -> str:
        given = [name for name in names if self.has(name)]
        if len(given) != 1:
            raise SpecInvalid(
                self.path, f"must name exactly one of {', '.join(names)}; it names {' and '.join(given) or 'none'}"
            )
        return given[0]

    def done(self) -> None:
        """Refuses fields that nobody has read."""
        unknown = [name for name in self._values if name not in self._known]
        if unknown:
            raise SpecInvalid(self.where(unknown[0]), f"is no field; known here: {', '.join(self._known)}")

    def _typed(self, name: str, type_: type[T], words: str) -> T | None:
        value = self.get(name)
        if value is not None and not isinstance(value, type_):
            raise SpecInvalid(self.where(name), f"must be {words}, not {describe(value)}")
        return value


def describe(value: Any) -> str:
    """A value as a message names it, short."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
