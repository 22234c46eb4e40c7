"""Artifacts between a step's folders and the store: every byte is hashed on its way, memory stays flat, and a broken
transfer goes on where it broke.

A signed URL is asked for anew for each try, so one that has expired costs nothing. The store answers directly; what
it says when it refuses is passed on, the URL never.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator

from mlworkflow_steps.agent import wire
from mlworkflow_steps.agent.errors import GatewayRefused, GaveUp, StepFailure
from mlworkflow_steps.agent.folders import remove
from mlworkflow_steps.agent.gateway import Gateway, retry_after
from mlworkflow_steps.agent.incoming import Source as Source
from mlworkflow_steps.agent.incoming import WrongBytes, fill, stream
from mlworkflow_steps.agent.refusals import Refusals

TYPE_CHECKING = False  # importing typing would cost more than all of this
if TYPE_CHECKING:
    from typing import IO, Any, TypeAlias

    from mlworkflow_steps.agent.patience import Patience

    Pack: TypeAlias = Callable[[str], Iterator[bytes]]
    Opened: TypeAlias = Callable[[], contextlib.AbstractContextManager[Any]]

LEAST_PART = 5 << 20
"""Bytes of a part at least: what the S3 API asks for."""
_SETTING = os.environ.get("MLWF_PART_SIZE", "")
PART = max(LEAST_PART, int(_SETTING)) if _SETTING.isdigit() else 16 << 20
WHOLE = 4 * PART
"""Bytes up to which an artifact is stored in one piece."""
_CHUNK = 1 << 20


class NoSuchUpload(Exception):
    """The upload that a part was sent for is over."""


def fetch(source: Source, artifact: dict[str, Any], target: str, *, readable: bool = False) -> None:
    """Makes `target` from a file or a directory, whatever was there before; its parent is there.

    Raises `StepFailure` (`InputInvalid`, `ArtifactMissing`, `StoreRefused`, `StoreFull`), `GaveUp` and what the gateway raises.
    """
    if artifact["type"] != "directory":
        remove(target)
        with downloaded(source, artifact, f"{target}.part") as file:
            os.fchmod(file.fileno(), 0o644)
            os.rename(file.name, target)
        return

    def make() -> None:
        remove(target)
        with contextlib.closing(stream(source, artifact)) as chunks:  # type: ignore[type-var]
            unpack(source.noun, chunks, target, readable=readable)

    try:
        _twice(make)
    except BaseException:
        remove(target)
        raise


@contextlib.contextmanager
def downloaded(source: Source, artifact: dict[str, Any], path: str) -> Iterator[IO[bytes]]:
    """An artifact's verified bytes in a file at `path`, which is gone afterwards unless it has been renamed."""
    try:
        with open(path, "wb+", buffering=0) as file:

            def make() -> None:
                file.seek(0)
                file.truncate()
                fill(source, artifact, file)

            _twice(make)
            file.seek(0)
            yield file
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def unpack(noun: str, chunks: Iterable[bytes | memoryview], target: str, *, readable: bool) -> None:
    """Makes the directory `target`, which does not exist, from the bytes of its tar; raises `StepFailure` (`InputInvalid`)."""
    from mlworkflow_steps.agent import unarchive

    try:
        unarchive.unpack(chunks, target, readable=readable)
    except ValueError as error:
        for _ in chunks:  # which says so if these are not the artifact's bytes at all
            pass
        raise StepFailure("InputInvalid", f"{noun}: {error}") from error


def _twice(make: Callable[[], None]) -> None:
    """Wrong bytes may have become wrong on their way: they are read once more."""
    try:
        make()
    except WrongBytes:
        make()


def publish(gateway: Gateway, name: str, path: str, pack: Pack | None = None) -> dict[str, Any]:
    """Stores a file or a directory as the output `name`; returns its ``{"digest", "size", "type"}``. A directory is stored as what
    `pack` makes of it, the same bytes each time; by default that is all of it.

    Raises `StepFailure` (`OutputInvalid`, `StoreRefused`, `StoreFull`), `GaveUp` and what the gateway raises.
    """
    is_directory = os.path.isdir(path)
    opened = functools.partial(_opened, path, is_directory, pack)
    try:
        artifact, part_digests = _measured(opened, is_directory)
        if part_digests:
            from mlworkflow_steps.agent import parts

            if parts.publish(gateway, name, artifact, part_digests, opened):
                return artifact
        deliver(name, gateway.patience, lambda: gateway.output_place(name, artifact), opened, artifact["size"])
    except GatewayRefused as error:
        raise StepFailure(
            "StoreRefused" if error.status == 403 else "OutputInvalid", f"output {name!r}: {error}"
        ) from error
    except (ValueError, wire.Unreadable) as error:
        raise StepFailure("OutputInvalid", f"output {name!r}: {error}") from error
    return artifact


def deliver(
    name: str,
    patience: Patience,
    place: Callable[[], tuple[str, dict[str, str]] | None],
    opened: Opened,
    size: int,
) -> None:
    """PUTs the `size` bytes of what `opened` gives to a place that is asked for anew for each try, and may be None: nothing is to be sent.

    Raises `NoSuchUpload`, `StepFailure` (`StoreRefused`, `StoreFull`), `GaveUp` and what the others raise.
    """
    tries = patience.tries(f"upload of {name!r}")
    refusals = Refusals(f"output {name!r}", patience.clock)
    while (where := place()) is not None:
        after = None
        try:
            with opened() as body, wire.request("PUT", where[0], where[1], body, size) as answer:
                if answer.status < 300:
                    tries.reset()
                    return
                words, after = refusals.heard(answer), retry_after(answer.headers)
                if "NoSuchUpload" in words:
                    raise NoSuchUpload(words)
        except OSError as error:
            words = f"{type(error).__name__}: {error}"
        if not tries.again(words, after):
            raise GaveUp(f"upload of {name!r}: {words}")


def _measured(opened: Opened, is_directory: bool) -> tuple[dict[str, Any], list[str]]:
    """What a file or directory is as an artifact; if it is big, also the digests of its parts."""
    part_digests: list[str] = []
    with opened() as body:
        known = 0 if is_directory else os.fstat(body.fileno()).st_size
        if not is_directory and known <= WHOLE:
            digest, size = hashlib.sha256(), 0
            for chunk in chunks_of(body):
                digest.update(chunk)
                size += len(chunk)
    if is_directory or known > WHOLE:
        from mlworkflow_steps.agent import parts

        digest, size, part_digests = parts.measured(opened, known)
    kind = "directory" if is_directory else "file"
    return {"digest": f"sha256:{digest.hexdigest()}", "size": size, "type": kind}, part_digests


def chunks_of(body: Any) -> Iterator[bytes]:
    """What `Opened` gives, as chunks."""
    return iter(lambda: body.read(_CHUNK), b"") if hasattr(body, "fileno") else body


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
