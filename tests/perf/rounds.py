"""Rounds of a measurement, ours and a bare one in turn, each first as often as the other: what makes a machine slow for a while is nobody's."""

from __future__ import annotations

import statistics
from collections.abc import Awaitable, Callable


async def alternated(
    what: str,
    rounds: int,
    ours: Callable[[], Awaitable[float]],
    bare: Callable[[], Awaitable[float]],
    remark: Callable[[], str] = lambda: "",
) -> tuple[float, float]:
    """The medians of ours and of the bare one, in seconds; each round is printed, with what there is to remark on it."""
    took: dict[str, list[float]] = {"ours": [], "bare": []}
    for number in range(rounds):
        for turn, measure in (("bare", bare), ("ours", ours))[:: -1 if number % 2 else 1]:
            seconds = await measure()
            took[turn].append(seconds)
            print(f"  {what:40} {turn:5} {seconds:8.3f} s{remark()}", flush=True)
    return statistics.median(took["ours"]), statistics.median(took["bare"])
