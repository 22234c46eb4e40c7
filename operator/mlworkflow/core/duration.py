"""Durations as people write them: ``90``, ``"90s"``, ``"1h30m"``, ``"250ms"``; seconds inside."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mlworkflow.core.errors import UsageError

PATTERN = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d))+$"
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds(duration: str | int) -> float:
    """Seconds of a duration that matches `PATTERN`, or of a plain number of seconds."""
    if isinstance(duration, int):
        return float(duration)
    return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(duration))


def setting(environ: Mapping[str, str], name: str, default: str, least: float = 0.0) -> float:
    """Seconds of the duration in a variable, which are at least `least`. Raises UsageError that names the variable."""
    text = environ.get(name) or default
    if not re.fullmatch(PATTERN, text):
        raise UsageError(f"{name} must be a duration such as 30m, 24h or 90d, not '{text}'")
    if seconds(text) < least:
        raise UsageError(f"{name} is at least {human(least)}, not '{text}'")
    return seconds(text)


def human(span: float) -> str:
    """A span in seconds as a person reads it: ``0.4s``, ``12s``, ``3m05s``, ``2h10m``."""
    if span < 10:
        return f"{span:.1f}s"
    if round(span) < 60:
        return f"{span:.0f}s"
    minutes, rest = divmod(round(span), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02d}s"
    return f"{minutes // 60}h{minutes % 60:02d}m"
