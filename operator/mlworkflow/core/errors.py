"""What can be wrong with a user's input.

UserError                 somebody's mistake: shown as it is, never with a traceback
├── SpecError             the resource cannot run: a list of problems, each with its field's path
├── ExpressionError       one expression cannot be parsed or evaluated
└── UsageError            a command was called in a way that cannot work
"""

from __future__ import annotations

from dataclasses import dataclass


class UserError(Exception):
    """A mistake whose message is written for the person who made it."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a resource: `path` as in ``spec.steps[2].inputs.model.from``."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class SpecError(UserError):
    """A resource that cannot run; `problems` is never empty."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class ExpressionError(UserError):
    """An expression that cannot be parsed or evaluated, with the fix where it is known."""


class UsageError(UserError):
    """A command line that cannot work."""
