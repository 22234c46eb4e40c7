"""One thing that was looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Level(StrEnum):
    """`WARN`: it works, or may, and something is to be known; `FAIL`: runs do not work here."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """`fix` is the command, or the few words, that mend it; empty where there is nothing to mend."""

    name: str
    level: Level
    message: str
    fix: str = ""

    def plain(self) -> dict[str, Any]:
        return {**asdict(self), "level": str(self.level)}


def ok(name: str, message: str) -> Check:
    return Check(name, Level.OK, message)


def warn(name: str, message: str, fix: str = "") -> Check:
    return Check(name, Level.WARN, message, fix)


def fail(name: str, message: str, fix: str) -> Check:
    return Check(name, Level.FAIL, message, fix)


def has_failed(checks: Sequence[Check]) -> bool:
    return any(check.level is Level.FAIL for check in checks)
