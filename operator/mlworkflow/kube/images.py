"""What an image's name means: the digest in it, else the one that the cluster has last reported for it."""

from __future__ import annotations

import re

_PINNED = re.compile(r"@(sha256:[0-9a-f]{64})$")


class Images:
    """What the cluster has reported counts only where it would run that again: not where it pulls `Always`, for a tag may have been moved."""

    def __init__(self, pull_policy: str) -> None:
        self._pulls_always = pull_policy == "Always"
        self._reported: dict[str, str] = {}

    def report(self, image: str, digest: str) -> None:
        """A Pod has run an image by this name, and this is what it was."""
        if image and digest:
            self._reported[image] = digest

    def digest(self, image: str) -> str:
        """The digest of what would run now; empty where that is not known."""
        if pinned := _PINNED.search(image):
            return pinned[1]
        return "" if self._pulls_always else self._reported.get(image, "")

    def why(self, image: str) -> str:
        """Why the digest of an image is not known."""
        reason = "it is pulled anew each time" if self._pulls_always else "no Pod has run it yet"
        return f"{reason}, and its name has no digest in it"
