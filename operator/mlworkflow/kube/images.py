"""What an image's name means: the digest that its registry gives for it, else the one that the cluster has reported for it.

A registry that does not answer is left alone for a while, so that a cluster without a way out loses no time with every step.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

Ask = Callable[[str], Awaitable[str]]
"""From a name to the digest that its registry gives; raises LookupError with the reason where there is none to be had."""

_PINNED = re.compile(r"@(sha256:[0-9a-f]{64})$")


async def _no_registry(image: str) -> str:
    raise LookupError("no registry is asked")


class Images:
    """`ask` asks registries. What the cluster has reported counts only where it would run that again: not where it pulls `Always`."""

    def __init__(self, pull_policy: str, ask: Ask = _no_registry) -> None:
        self._pull_policy = pull_policy
        self._ask = ask
        self._reported: dict[str, str] = {}
        self._why: dict[str, str] = {}

    def report(self, image: str, digest: str) -> None:
        """A Pod has run an image by this name, and this is what it was."""
        if image and digest:
            self._reported[image] = digest

    async def digest(self, image: str) -> str:
        """The digest of what would run now; empty where nobody knows."""
        if pinned := _PINNED.search(image):
            return pinned[1]
        try:
            return await self._ask(image)
        except LookupError as error:
            self._why[image] = str(error)
        return "" if self._pull_policy == "Always" else self._reported.get(image, "")

    def why(self, image: str) -> str:
        """Why the digest of an image was not known when it was last asked for."""
        reason = self._why.get(image, "nobody was asked")
        return reason if self._pull_policy == "Always" else f"{reason}, and no Pod has run it yet"
