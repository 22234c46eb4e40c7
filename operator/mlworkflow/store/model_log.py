"""What the moves of a model's aliases say: which versions there are, and what each alias means. Pure.

A model is a log that only grows. Each move says which version an alias means from then on; a version has its number from the first move that
names its digest. So there is nothing but the log to be kept, and nobody changes it in place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from mlworkflow.core.values import ArtifactRef

ANY, NONE = "any", "none"
"""What may be expected of an alias beside a version: whatever it means, or that there is no such alias."""


class Made(msgspec.Struct, frozen=True):
    """The attempt that left a version."""

    workflow: str
    uid: str
    task: str
    attempt: int


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """`alias` means `version` from then on, and meant `previous` before (0: nothing). `id` is the same however often it is asked for, `at` is in
    seconds since the epoch. `metrics` are those that were known of the version, by ``task.name``.
    """

    number: int
    id: str
    alias: str
    version: int
    digest: str
    size: int
    type: str
    previous: int
    by: str
    at: float
    message: str = ""
    rollback: bool = False
    made: Made | None = None
    metrics: dict[str, float] = {}

    @property
    def artifact(self) -> ArtifactRef:
        return ArtifactRef(self.digest, self.size, self.type)


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One version: its artifact, when and by whom it was added, what left it, and the aliases that mean it."""

    number: int
    digest: str
    size: int
    type: str
    added: float
    by: str
    made: Made | None
    metrics: dict[str, float]
    aliases: list[str]

    @property
    def artifact(self) -> ArtifactRef:
        return ArtifactRef(self.digest, self.size, self.type)


class Model(msgspec.Struct, frozen=True):
    """`aliases` is alias → number of a version; `versions` and `moves` are in the order of their numbers, which begin with 1."""

    name: str
    aliases: dict[str, int]
    versions: list[Version]
    moves: list[Move]

    def version(self, text: str) -> Version | None:
        """The version that an alias, a number or a digest stands for."""
        if text.isdecimal():
            return next((one for one in self.versions if one.number == int(text)), None)
        number = self.aliases.get(text)
        return next((one for one in self.versions if text == one.digest or number == one.number), None)

    def last(self, alias: str) -> Move | None:
        """The move by which an alias means what it means."""
        return next((move for move in reversed(self.moves) if move.alias == alias), None)

    def before(self, alias: str) -> Version | None:
        """What an alias meant before it meant what it means; what was rolled back is forgotten."""
        meant: list[int] = []
        for move in self.moves:
            if move.alias != alias:
                continue
            if move.rollback:
                meant.pop()
            else:
                meant.append(move.version)
        return self.version(str(meant[-2])) if len(meant) > 1 else None

    def named_since(self, since: float) -> frozenset[str]:
        """The digests of the versions that an alias means, or that a move since then has left or gone to."""
        moved = (number for move in self.moves if move.at >= since for number in (move.version, move.previous))
        wanted = {*self.aliases.values(), *moved}
        return frozenset(version.digest for version in self.versions if version.number in wanted)

    def is_as_expected(self, alias: str, expect: str) -> bool:
        """Whether an alias means what somebody expects: a version, `ANY` or `NONE`."""
        if expect in ("", ANY):
            return True
        if expect == NONE:
            return alias not in self.aliases
        wanted = self.version(expect)
        return wanted is not None and self.aliases.get(alias) == wanted.number


def fold(name: str, moves: Iterable[Move]) -> Model:
    """What the moves of a model, in their order, come to."""
    log = list(moves)
    aliases: dict[str, int] = {}
    first: dict[int, Move] = {}
    for move in log:
        aliases[move.alias] = move.version
        first.setdefault(move.version, move)
    versions = [_version(move, [alias for alias in sorted(aliases) if aliases[alias] == number]) for number, move in sorted(first.items())]  # fmt: skip
    return Model(name, aliases, versions, log)


def is_expectation(text: str) -> bool:
    """Whether a text says what may be expected of an alias."""
    return text in ("", ANY, NONE) or bool(re.fullmatch(r"[1-9][0-9]{0,8}|sha256:[0-9a-f]{64}", text))


def _version(move: Move, aliases: list[str]) -> Version:
    return Version(
        number=move.version,
        digest=move.digest,
        size=move.size,
        type=move.type,
        added=move.at,
        by=move.by,
        made=move.made,
        metrics=move.metrics,
        aliases=aliases,
    )
