"""Why a step ended as it did: what each reason means, and what to do. The table is that of docs/troubleshooting.md.

For `mlwf explain`, and for whoever shows a reason to a person.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

_TABLE = Path(__file__).with_name("reasons.json")


@dataclass(frozen=True, slots=True)
class Reason:
    """`of` narrows it down (``of a trial``), where the same word means something else elsewhere."""

    name: str
    of: str
    meaning: str
    remedy: str

    def plain(self) -> dict[str, Any]:
        return asdict(self)


@cache
def all_reasons() -> tuple[Reason, ...]:
    """Every reason that is told of, in the order of the table."""
    rows = json.loads(_TABLE.read_text(encoding="utf-8"))
    return tuple(Reason(name, row["of"], row["meaning"], row["remedy"]) for row in rows for name in row["names"])


def find(word: str) -> list[Reason]:
    """What a word means, however it is capitalized; empty where it is no reason."""
    return [reason for reason in all_reasons() if reason.name.lower() == word.lower()]
