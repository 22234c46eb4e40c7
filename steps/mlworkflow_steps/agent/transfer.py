"""Artifacts over the wire: every byte is hashed on its way, memory stays flat, and a broken transfer goes on where
it broke.

A signed URL is asked for anew for each try, so one that has expired costs nothing. The store answers directly; what
it says when it refuses is passed on, the URL never.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Callable, Iterator

from mlworkflow_steps.agent import wire
from mlworkflow_steps.agent.errors import GatewayRefused, GaveUp, StepFailure
from mlworkflow_steps.agent.folders import remove
from mlworkflow_steps.agent.gateway import Gateway, retry_after
from mlworkflow_steps.agent.patience import Patience
from mlworkflow_steps.agent.refusals import Refusals

TYPE_CHECKING = False  # importing typing would cost more than all of this
if TYPE_CHECKING:
    from hashlib import _Hash
    from typing import IO, Any, TypeAlias

    Pack: TypeAlias = Callable[[str], Iterator[bytes]]

_CHUNK = 1 << 20


class Source:
    """Where bytes come from: `url` gives a fresh URL for each try, `noun` is what they are called in a failure, `line` a
    connection to keep for more.
    """

    def __init__(self, noun: str, url: Callable[[], str], patience: Patience, line: wire.Line | None = None) -> None:
        self.line = line
        self.noun = noun
        self.url = url
        self.patience = patience


def fetch(source: Source, artifact: dict[str, Any], target: str, *, readable: bool = False) -> None:
    """Makes `target` from a file or a directory, whatever was there before; its parent is there.

    Raises `StepFailure` (`InputInvalid`, `ArtifactMissing`, `StoreRefused`, `StoreFull`), `GaveUp` and what the gateway raises.
    """
    remove(target)
    with downloaded(source, artifact, f"{target}.part") as file:
        if artifact["type"] == "directory":
            unpack(source.noun, file, target, readable=readable)
        else:
            os.fchmod(file.fileno(), 0o644)
            os.rename(file.name, target)


@contextlib.contextmanager
def downloaded(source: Source, artifact: dict[str, Any], path: str) -> Iterator[IO[bytes]]:
    """An artifact's verified bytes in a file at `path`, which is gone afterwards unless it has been renamed."""
    try:
        with open(path, "wb+", buffering=0) as file:
            _download(source, artifact, file)
            file.seek(0)
            yield file
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def unpack(noun: str, file: IO[bytes], target: str, *, readable: bool) -> None:
    """Makes the directory `target` from its tar; raises `StepFailure` (`InputInvalid`)."""
    from mlworkflow_steps.agent import archive

    try:
        archive.unpack(file, target, readable=readable)
    except ValueError as error:
        raise StepFailure("InputInvalid", f"{noun}: {error}") from error


def publish(gateway: Gateway, name: str, path: str, pack: Pack | None = None) -> dict[str, Any]:
    """Stores a file or a directory as the output `name`; returns its ``{"digest", "size", "type"}``. A directory is stored as what
    `pack` makes of it, the same bytes each time; by default that is all of it.

    Raises `StepFailure` (`OutputInvalid`, `StoreRefused`, `StoreFull`), `GaveUp` and what the gateway raises.
    """
    is_directory = os.path.isdir(path)
    try:
        artifact = _measured(path, is_directory, pack)
        tries = gateway.patience.tries(f"upload of {name!r}")
        refusals = Refusals(f"output {name!r}", gateway.patience.clock)
        while (place := gateway.output_place(name, artifact)) is not None:
            after = None
            try:
                with (
                    _opened(path, is_directory, pack) as body,
                    wire.request("PUT", place[0], place[1], body, artifact["size"]) as answer,
                ):
                    if answer.status < 300:
                        tries.reset()
                        return artifact
                    words, after = refusals.heard(answer), retry_after(answer.headers)
            except OSError as error:
                words = f"{type(error).__name__}: {error}"
            if not tries.again(words, after):
                raise GaveUp(f"upload of {name!r}: {words}")
    except GatewayRefused as error:
        raise StepFailure(
            "StoreRefused" if error.status == 403 else "OutputInvalid", f"output {name!r}: {error}"
        ) from error
    except (ValueError, wire.Unreadable) as error:
        raise StepFailure("OutputInvalid", f"output {name!r}: {error}") from error
    return artifact


def _download(source: Source, artifact: dict[str, Any], file: IO[bytes]) -> None:
    """Fills `file`, going on after a break with a range; a wrong digest is tried once more from the start."""
    noun, tries = source.noun, source.patience.tries(source.noun)
    refusals = Refusals(noun, source.patience.clock)
    digest, done, wrong = hashlib.sha256(), 0, 0
    while True:
        after = None
        try:
            with _answer(source, done) as answer:
                if answer.status == 200 and done:
                    digest, done = _restarted(file)
                if answer.status in (200, 206):
                    for chunk in answer.chunks():
                        file.write(chunk)
                        digest.update(chunk)
                        done += len(chunk)
                        tries.reset()
                        refusals.forget()
                    if done == artifact["size"] and f"sha256:{digest.hexdigest()}" == artifact["digest"]:
                        return
                    wrong += 1
                    words = f"the store's bytes do not have the digest {artifact['digest']}"
                    if wrong == 2:
                        raise StepFailure("InputInvalid", f"{noun}: {words}")
                    digest, done = _restarted(file)
                elif answer.status == 404:
                    raise StepFailure("ArtifactMissing", f"{noun} is not in the store any more")
                elif answer.status == 416:
                    digest, done = _restarted(file)
                    words = "the store has fewer bytes than were read before"
                else:
                    words, after = refusals.heard(answer), retry_after(answer.headers)
        except OSError as error:
            words = f"{type(error).__name__}: {error}"
        if not tries.again(words, after):
            raise GaveUp(f"{noun}: {words}")


def _answer(source: Source, done: int) -> wire.Answer:
    try:
        url = source.url()
    except GatewayRefused as error:
        raise StepFailure("StoreRefused", f"{source.noun}: {error}") from error
    headers = {"Range": f"bytes={done}-"} if done else {}
    return wire.get(url, headers, source.line) if source.line is not None else wire.request("GET", url, headers)


def _restarted(file: IO[bytes]) -> tuple[_Hash, int]:
    file.seek(0)
    file.truncate()
    return hashlib.sha256(), 0


def _measured(path: str, is_directory: bool, pack: Pack | None) -> dict[str, Any]:
    digest, size = hashlib.sha256(), 0
    with _opened(path, is_directory, pack) as body:
        for chunk in body if is_directory else iter(lambda: body.read(_CHUNK), b""):
            digest.update(chunk)
            size += len(chunk)
    return {"digest": f"sha256:{digest.hexdigest()}", "size": size, "type": "directory" if is_directory else "file"}


@contextlib.contextmanager
def _opened(path: str, is_directory: bool, pack: Pack | None) -> Iterator[Any]:
    """The bytes of an output as chunks (a directory) or an open file; what cannot be read is `Unreadable`, not a
    broken transfer.
    """
    if is_directory:
        from mlworkflow_steps.agent import archive

        yield wire.readable((pack or archive.pack)(path))
        return
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise wire.Unreadable(str(error)) from error
    with open(descriptor, "rb", buffering=0) as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise wire.Unreadable(f"{path!r} is neither a file nor a directory")
        yield file
