"""Which list of steps is open: that of the workflow or group whose `with` block, or function, the code is in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Scope:
    """`steps` is what new steps are added to, a part of `spec`."""

    steps: list[dict[str, Any]]
    spec: Mapping[str, Any]

    def names(self) -> set[str]:
        """The names of all steps of the workflow, at whatever depth: none may be there twice."""
        exits = (self.spec.get("onExit") or {}).values()
        return set(_names([*self.spec.get("steps", []), *(step for steps in exits if isinstance(steps, list) for step in steps)]))  # fmt: skip


_scopes: ContextVar[tuple[Scope, ...]] = ContextVar("mlworkflow.api.scopes", default=())


def current() -> Scope | None:
    """The innermost that is open."""
    scopes = _scopes.get()
    return scopes[-1] if scopes else None


@contextmanager
def opened(scope: Scope) -> Iterator[None]:
    """New steps are added to `scope` meanwhile."""
    token = _scopes.set((*_scopes.get(), scope))
    try:
        yield
    finally:
        _scopes.reset(token)


@contextmanager
def closed() -> Iterator[None]:
    """As if nothing were open."""
    token = _scopes.set(())
    try:
        yield
    finally:
        _scopes.reset(token)


def free_name(wanted: str) -> str:
    """`wanted` as a step's name, with a number where there is one of this name."""
    scope = current()
    taken, name = scope.names() if scope else set(), wanted.strip("_").replace("_", "-").lower()
    return next(each for each in (name, *(f"{name}-{number}" for number in range(2, 100_000))) if each not in taken)


def _names(steps: list[Any]) -> Iterator[str]:
    for step in steps:
        if isinstance(step, Mapping):
            yield str(step.get("name", ""))
            yield from _names(step.get("steps") or [])
