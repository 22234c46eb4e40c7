"""The bytes of an artifact as they come from the store: hashed on their way, a broken answer gone on with where it broke.

What is bigger than two ranges is read in ranges, a few at a time: into their places in a file, or as a stream, of which a few
ranges at most are in memory. Callers: `transfer`, `collection`.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator

from mlworkflow_steps.agent import wire
from mlworkflow_steps.agent.errors import GatewayRefused, GaveUp, StepFailure
from mlworkflow_steps.agent.gateway import retry_after
from mlworkflow_steps.agent.patience import Patience
from mlworkflow_steps.agent.refusals import Refusals

TYPE_CHECKING = False  # importing typing would cost more than all of this
if TYPE_CHECKING:
    from typing import IO, Any

RANGE = 8 << 20
_PARALLEL = 3
_PIECE = 1 << 20


class WrongBytes(StepFailure):
    """The store holds other bytes than the artifact's."""

    def __init__(self, noun: str, digest: str) -> None:
        super().__init__("InputInvalid", f"{noun}: the store's bytes do not have the digest {digest}")


class Source:
    """Where bytes come from: `url` gives the URL for each try, `noun` is what they are called in a failure, `line` a
    connection to keep for more.
    """

    def __init__(self, noun: str, url: Callable[[], str], patience: Patience, line: wire.Line | None = None) -> None:
        self.line = line
        self.noun = noun
        self.url = url
        self.patience = patience


def stream(source: Source, artifact: dict[str, Any]) -> Iterator[memoryview]:
    """All bytes, in order, in pieces that are good until the next is asked for; raises `WrongBytes` after the last of them, or
    earlier, if they are not the artifact's. To be closed.

    Raises besides `StepFailure` (`ArtifactMissing`, `StoreRefused`, `StoreFull`), `GaveUp` and what the gateway raises.
    """
    digest, size = hashlib.sha256(), 0
    for piece in _pieces(source, artifact, digest.update):
        size += len(piece)
        yield piece
    if size != artifact["size"] or f"sha256:{digest.hexdigest()}" != artifact["digest"]:
        raise WrongBytes(source.noun, artifact["digest"])


def fill(source: Source, artifact: dict[str, Any], file: IO[bytes]) -> None:
    """Puts all bytes into an empty unbuffered file; raises as `stream` does."""
    with contextlib.closing(stream(source, artifact)) as pieces:  # type: ignore[type-var]
        for piece in pieces:
            while piece:
                piece = piece[file.write(piece) :]


def _pieces(source: Source, artifact: dict[str, Any], tell: Callable[[memoryview], None]) -> Iterator[memoryview]:
    """The same unverified, each told in its turn; of big artifacts while it is used."""
    size = artifact["size"]
    if size <= 2 * RANGE:
        window = memoryview(bytearray(max(1, min(size, _PIECE))))
        for piece in _part(source, artifact, range(size), window):
            tell(piece)
            yield piece
        return
    from mlworkflow_steps.agent.parallel import Beside, in_order

    url = _SharedUrl(source.url)
    free = [memoryview(bytearray(RANGE)) for _ in range(_PARALLEL + 1)]  # new ones take longer to make than to fill
    lines = [wire.Line() for _ in range(_PARALLEL)]

    def hold(number: int) -> memoryview:
        where = range(number * RANGE, min((number + 1) * RANGE, size))
        held, line = free.pop(), lines.pop()
        for _ in _part(Source(source.noun, url.tries(), source.patience, line), artifact, where, held):
            pass
        lines.append(line)
        return held[: len(where)]

    telling = Beside(tell)
    try:
        for held in in_order(hold, -(-size // RANGE), _PARALLEL, _PARALLEL):
            telling.begin(held)
            yield held
            telling.end()
            free.append(memoryview(held.obj))
    finally:
        telling.close()


class _SharedUrl:
    """One URL for many ranges, for as long as it is good."""

    def __init__(self, fresh: Callable[[], str]) -> None:
        self._fresh = fresh
        self._url = ""

    def tries(self) -> Callable[[], str]:
        """What gives the URL for each try of one range."""
        return self._next().__next__

    def _next(self) -> Iterator[str]:
        if self._url:
            yield self._url
        while True:
            self._url = self._fresh()
            yield self._url


def _part(source: Source, artifact: dict[str, Any], where: range, buffer: memoryview) -> Iterator[memoryview]:
    """The bytes at some offsets, as they lie in `buffer`: each piece behind the one before, and in front again when it is full."""
    noun, tries = source.noun, source.patience.tries(source.noun)
    refusals = Refusals(noun, source.patience.clock)
    at = where.start
    while True:
        after = None
        try:
            with _answer(source, artifact, range(at, where.stop)) as answer:
                if answer.status in (200, 206):
                    body = _Body(answer, at if answer.status == 200 else 0)
                    while at < where.stop:
                        place = (at - where.start) % len(buffer)
                        size = body.readinto(buffer[place : place + where.stop - at])
                        if not size:
                            raise WrongBytes(noun, artifact["digest"])
                        yield buffer[place : place + size]
                        at += size
                        tries.reset()
                        refusals.forget()
                    is_all = answer.status == 206 or where.stop == artifact["size"]
                    if is_all and body.readinto(memoryview(bytearray(1))):
                        raise WrongBytes(noun, artifact["digest"])
                    return
                if answer.status == 404:
                    raise StepFailure("ArtifactMissing", f"{noun} is not in the store any more")
                if answer.status == 416:
                    raise WrongBytes(noun, artifact["digest"])
                words, after = refusals.heard(answer), retry_after(answer.headers)
        except OSError as error:
            words = f"{type(error).__name__}: {error}"
            if at == where.stop and where:
                return
        if not tries.again(words, after):
            raise GaveUp(f"{noun}: {words}")


def _answer(source: Source, artifact: dict[str, Any], where: range) -> wire.Answer:
    try:
        signed = source.url()
    except GatewayRefused as error:
        raise StepFailure("StoreRefused", f"{source.noun}: {error}") from error
    headers = {}
    if where.stop < artifact["size"]:
        headers["Range"] = f"bytes={where.start}-{where.stop - 1}"
    elif where.start:
        headers["Range"] = f"bytes={where.start}-"
    if source.line is not None:
        return wire.get(signed, headers, source.line)
    return wire.request("GET", signed, headers)


class _Body:
    """What an answer says from an offset on: a store that knows no ranges says the whole artifact."""

    def __init__(self, answer: wire.Answer, skipped: int) -> None:
        self._answer = answer
        self._skipped = skipped

    def readinto(self, view: memoryview) -> int:
        while self._skipped:
            size = self._answer.readinto(memoryview(bytearray(min(self._skipped, _PIECE))))
            if not size:
                return 0
            self._skipped -= size
        return self._answer.readinto(view)
