"""Models by name as text for people. Pure: `now` is a parameter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlworkflow.core.duration import human
from mlworkflow.runs.comparing import Difference
from mlworkflow.runs.text import table

_Plain = Mapping[str, Any]
COLUMNS = 6
"""Versions whose metrics are shown beside each other."""


def models(found: Sequence[_Plain], now: float) -> str:
    """What `list` shows: each model with its aliases and its last move."""
    if not found:
        return "no models yet: mlwf models promote NAME RUN STEP.OUTPUT"
    rows = []
    for model in found:
        last = model["moves"][-1]
        aliases = ", ".join(f"{alias} ({number})" for alias, number in sorted(model["aliases"].items()))
        rows.append([model["name"], str(len(model["versions"])), aliases, _age(last["at"], now), last["by"]])
    return table(["NAME", "VERSIONS", "ALIASES", "MOVED", "BY"], rows)


def model(found: _Plain, now: float) -> str:
    """What `show` shows: the versions, the newest first, with their metrics, and every move, the last first."""
    versions = [
        [
            str(one["number"]),
            ", ".join(one["aliases"]) or "-",
            one["digest"],
            _age(one["added"], now),
            _made(one),
        ]
        for one in reversed(found["versions"])
    ]
    moves = [
        [
            str(move["number"]),
            _age(move["at"], now),
            move["alias"],
            f"{move['previous'] or '-'} -> {move['version']}{' (rollback)' if move['rollback'] else ''}",
            move["by"],
            move["message"] or "-",
        ]
        for move in reversed(found["moves"])
    ]
    return "\n\n".join(
        (
            table(["VERSION", "ALIASES", "DIGEST", "AGE", "LEFT BY"], versions),
            *_metrics(found["versions"]),
            table(["MOVE", "AGE", "ALIAS", "VERSION", "BY", "WHY"], moves),
        )
    )


def moved(name: str, move: _Plain) -> str:
    """What a move has come to."""
    before = f", and was {move['previous']}" if move["previous"] else ""
    return f"{name}@{move['alias']} is version {move['version']} ({move['digest']}){before}"


def metrics(left: _Plain, right: _Plain) -> list[Difference]:
    """The metrics in which two versions differ."""
    found = sorted({*left["metrics"], *right["metrics"]})
    pairs = [(name, left["metrics"].get(name), right["metrics"].get(name)) for name in found]
    return [Difference("metric", name, one, other) for name, one, other in pairs if one != other]


def _age(at: float, now: float) -> str:
    return human(max(0.0, now - at))


def _made(version: _Plain) -> str:
    made = version["made"]
    return f"{made['workflow']} {made['task']} ({made['uid']})" if made else "-"


def _metrics(versions: Sequence[_Plain]) -> list[str]:
    """A table of what is known of the newest versions, if anything is."""
    shown = versions[: -COLUMNS - 1 : -1]
    names = sorted({name for version in shown for name in version["metrics"]})
    rows = [[name, *(_number(version["metrics"].get(name)) for version in shown)] for name in names]
    return [table(["METRIC", *(f"VERSION {version['number']}" for version in shown)], rows)] if rows else []


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.5g}"
