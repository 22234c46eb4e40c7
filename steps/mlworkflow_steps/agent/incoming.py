"""The bytes of an artifact as they come from the store: hashed on their way, a broken answer gone on with where it broke.

What is bigger than two ranges is read in ranges, a few at a time: into their places in a file, or as a stream, of which a few
ranges at most are in memory. Callers: `transfer`, `collection`.
"""

from __future__ import annotations

import hashlib
import os
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
_CHUNK = 1 << 20


class WrongBytes(StepFailure):
    """The store holds other bytes than the artifact's."""

    def __init__(self, noun: str, digest: str) -> None:
        super().__init__("InputInvalid", f"{noun}: the store's bytes do not have the digest {digest}")


class Source:
    """Where bytes come from: `url` gives a fresh URL, `noun` is what they are called in a failure, `line` a
    connection to keep for more.
    """

    def __init__(self, noun: str, url: Callable[[], str], patience: Patience, line: wire.Line | None = None) -> None:
        self.line = line
        self.noun = noun
        self.url = url
        self.patience = patience


def stream(source: Source, artifact: dict[str, Any]) -> Iterator[bytes | bytearray]:
    """All bytes, in order; raises `WrongBytes` after the last of them, or earlier, if they are not the artifact's. To be closed.

    Raises besides `StepFailure` (`ArtifactMissing`, `StoreRefused`, `StoreFull`), `GaveUp` and what the gateway raises.
    """
    digest, size = hashlib.sha256(), 0
    for chunk in _chunks(source, artifact):
        digest.update(chunk)
        size += len(chunk)
        yield chunk
    if size != artifact["size"] or f"sha256:{digest.hexdigest()}" != artifact["digest"]:
        raise WrongBytes(source.noun, artifact["digest"])


def fill(source: Source, artifact: dict[str, Any], file: IO[bytes]) -> None:
    """Puts all bytes into an empty unbuffered file; raises as `stream` does."""
    if artifact["size"] <= 2 * RANGE:
        for chunk in stream(source, artifact):
            file.write(chunk)
        return
    from mlworkflow_steps.agent.parallel import in_order

    descriptor, ranges = file.fileno(), _Ranges(source, artifact)

    def place(number: int) -> range:
        where = ranges.of(number)
        at = where.start
        for chunk in ranges.bytes(where):
            at += os.pwrite(descriptor, chunk, at)
        return where

    digest = hashlib.sha256()
    finished = in_order(place, ranges.count, _PARALLEL, ranges.count)
    try:
        for where in finished:
            for at in range(where.start, where.stop, _CHUNK):
                digest.update(os.pread(descriptor, min(_CHUNK, where.stop - at), at))
    finally:
        finished.close()  # type: ignore[attr-defined]  # nothing is written any more
    if f"sha256:{digest.hexdigest()}" != artifact["digest"]:
        raise WrongBytes(source.noun, artifact["digest"])


def _chunks(source: Source, artifact: dict[str, Any]) -> Iterator[bytes | bytearray]:
    if artifact["size"] <= 2 * RANGE:
        yield from _part(source, artifact, range(artifact["size"]), source.url)
        return
    from mlworkflow_steps.agent.parallel import in_order

    ranges = _Ranges(source, artifact)

    def hold(number: int) -> bytearray:
        where, at = ranges.of(number), 0
        held = bytearray(len(where))
        for chunk in ranges.bytes(where):
            held[at : at + len(chunk)] = chunk
            at += len(chunk)
        return held

    yield from in_order(hold, ranges.count, _PARALLEL, _PARALLEL)


class _Ranges:
    """An artifact cut into ranges that are read with one URL, for as long as that is good."""

    def __init__(self, source: Source, artifact: dict[str, Any]) -> None:
        self._source = source
        self._artifact = artifact
        self._url = ""
        self.count = -(-artifact["size"] // RANGE)

    def of(self, number: int) -> range:
        """The offsets of a range."""
        return range(number * RANGE, min((number + 1) * RANGE, self._artifact["size"]))

    def bytes(self, where: range) -> Iterator[bytes]:
        """What is there."""
        urls = self._urls()
        return _part(self._source, self._artifact, where, lambda: next(urls))

    def _urls(self) -> Iterator[str]:
        if self._url:
            yield self._url
        while True:
            self._url = self._source.url()
            yield self._url


def _part(source: Source, artifact: dict[str, Any], where: range, url: Callable[[], str]) -> Iterator[bytes]:
    """The bytes at some offsets; `url` is asked before each try."""
    noun, tries = source.noun, source.patience.tries(source.noun)
    refusals = Refusals(noun, source.patience.clock)
    at = where.start
    while True:
        after = None
        try:
            with _answer(source, artifact, range(at, where.stop), url) as answer:
                if answer.status in (200, 206):
                    for chunk in _wanted(answer, range(at, where.stop), artifact):
                        yield chunk
                        at += len(chunk)
                        tries.reset()
                        refusals.forget()
                    if at != where.stop:
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


def _answer(source: Source, artifact: dict[str, Any], where: range, url: Callable[[], str]) -> wire.Answer:
    try:
        signed = url()
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


def _wanted(answer: wire.Answer, where: range, artifact: dict[str, Any]) -> Iterator[bytes]:
    """What an answer says is at these offsets, and beyond them if they are the last. Of a store that knows no ranges it is the whole
    artifact, of which the rest is left out.
    """
    is_whole, is_last = answer.status == 200, where.stop == artifact["size"]
    skip, left = where.start if is_whole else 0, len(where)
    for chunk in answer.chunks():
        piece = chunk[skip:] if is_last else chunk[skip : skip + left]
        skip, left = max(0, skip - len(chunk)), left - len(piece)
        if piece:
            yield piece
        if is_whole and not is_last and not left:
            return
