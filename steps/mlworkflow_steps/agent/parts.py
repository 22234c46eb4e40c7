"""A big artifact in parts: measured in one pass, sent by a few threads, gone on with where an attempt before was cut off.

Each part is bound to its own digest, so what has arrived is what was meant. A file is sent from the disk, part by part; a directory is
packed anew, with a few parts in memory. Callers: `transfer`, which imports this module only where it is needed.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Iterator
from queue import Queue
from threading import Lock, Thread

from mlworkflow_steps.agent.errors import GatewayRefused, StepFailure
from mlworkflow_steps.agent.gateway import Gateway
from mlworkflow_steps.agent.inputs import in_threads
from mlworkflow_steps.agent.transfer import PART, WHOLE, NoSuchUpload, chunks_of, deliver

TYPE_CHECKING = False  # importing typing would cost more than all of this
if TYPE_CHECKING:
    from hashlib import _Hash
    from typing import Any

    from mlworkflow_steps.agent.transfer import Opened

PARALLEL = 4
PACKED = 2
"""Parts of a directory that are sent at once: they are in memory, and one more is being packed."""
MOST_PARTS = 10_000
_BATCH = 16
_ROUNDS = 3


def part_size(size: int) -> int:
    """Bytes of a part of an artifact of `size` bytes, none of which has too many."""
    part = PART
    while size > part * MOST_PARTS:
        part *= 2
    return part


def measured(opened: Opened, size: int = 0) -> tuple[_Hash, int, list[str]]:
    """The digest and the size of what `opened` gives, and the digests of its parts, of which there are none if it is stored in one piece. `size` is what
    is known of the size.
    """
    part = part_size(size)
    whole, size = hashlib.sha256(), 0
    digests: list[str] = []
    with opened() as body, contextlib.ExitStack() as stack:
        more: Callable[[memoryview], None] | None = None
        for chunk in chunks_of(body):
            head = tail = memoryview(chunk)
            if size < part:  # the first part's digest is that of all there is so far
                head, tail = tail[: part - size], tail[part - size :]
                whole.update(head)
                size += len(head)
                if size == part:
                    digests.append(f"sha256:{whole.hexdigest()}")
            if tail:
                more = more or stack.enter_context(_digesting(part, digests))
                more(tail)
                whole.update(tail)
                size += len(tail)
    if part < part_size(size):  # a directory, whose size nobody knew
        return measured(opened, size)
    return whole, size, digests if size > WHOLE else []


@contextlib.contextmanager
def _digesting(part: int, digests: list[str]) -> Iterator[Callable[[memoryview], None]]:
    """Adds the digests of parts, beside what the caller does: hashing lets other threads run."""
    queue: Queue[memoryview | None] = Queue(4)

    def run() -> None:
        digest, left = hashlib.sha256(), part
        while (piece := queue.get()) is not None:
            while piece:
                digest.update(piece[:left])
                taken = min(left, len(piece))
                piece, left = piece[taken:], left - taken
                if not left:
                    digests.append(f"sha256:{digest.hexdigest()}")
                    digest, left = hashlib.sha256(), part
        if left < part:
            digests.append(f"sha256:{digest.hexdigest()}")

    thread = Thread(target=run, daemon=True)
    thread.start()
    try:
        yield queue.put
    finally:
        queue.put(None)
        thread.join()


def publish(gateway: Gateway, name: str, artifact: dict[str, Any], digests: list[str], opened: Opened) -> bool:
    """Stores an artifact in parts, of which `digests` are known; False where the store takes it whole only. Raises as `transfer.publish` does."""
    size = part_size(artifact["size"])
    plan = {**artifact, "partSize": size, "digests": digests}
    words = ""
    for _ in range(_ROUNDS):
        begun = gateway.begin_parts(name, plan)
        if begun is None:
            return False
        if begun.get("exists"):
            return True
        upload = _Upload(
            gateway, name, artifact, begun["upload"], set(range(1, len(digests) + 1)) - set(begun["there"])
        )
        try:
            upload.send(size, opened)
            gateway.complete_parts(name, upload.wanted([]))
            return True
        except NoSuchUpload as error:
            words = str(error)
        except GatewayRefused as error:
            if error.status != 404:
                raise
            words = str(error)
    raise StepFailure("StoreRefused", f"output {name!r}: {words}")


class _Upload:
    """One upload, and the numbers of the parts that have yet to arrive."""

    def __init__(self, gateway: Gateway, name: str, artifact: dict[str, Any], upload: str, missing: set[int]) -> None:
        self._gateway = gateway
        self._name = name
        self._artifact = artifact
        self._upload = upload
        self._missing = missing
        self._places: dict[int, tuple[str, dict[str, str]]] = {}
        self._lock = Lock()

    def wanted(self, numbers: list[int]) -> dict[str, Any]:
        """What to ask the gateway with."""
        return {**self._artifact, "upload": self._upload, "numbers": numbers}

    def send(self, size: int, opened: Opened) -> None:
        """Sends what is missing, in parts of `size` bytes."""
        if self._artifact["type"] == "directory":
            with opened() as body:
                packed = ((number, held) for number, held in enumerate(_cut(body, size), 1) if number in self._missing)
                in_threads(lambda part: self._deliver(part[0], size, lambda: _given(part[1])), packed, PACKED)
        else:
            in_threads(
                lambda number: self._deliver(number, size, lambda: _at(opened, (number - 1) * size)),
                sorted(self._missing), PARALLEL,
            )  # fmt: skip

    def _deliver(self, number: int, size: int, opened: Opened) -> None:
        length = min(size, self._artifact["size"] - (number - 1) * size)
        deliver(self._name, self._gateway.patience, lambda: self._place(number), opened, length)

    def _place(self, number: int) -> tuple[str, dict[str, str]]:
        """Of a batch that is asked for when its first part is sent; good for one try."""
        with self._lock:
            if number not in self._places:
                batch = [n for n in sorted(self._missing) if n >= number][:_BATCH]
                places = self._gateway.part_places(self._name, self.wanted(batch))
                self._places.update(zip(batch, places, strict=True))
            return self._places.pop(number)


def _cut(chunks: Iterable[bytes], size: int) -> Iterator[bytearray]:
    """The bytes of each part."""
    held, filled = bytearray(size), 0
    for chunk in chunks:
        rest = memoryview(chunk)
        while rest:
            piece = rest[: size - filled]
            held[filled : filled + len(piece)] = piece
            rest, filled = rest[len(piece) :], filled + len(piece)
            if filled == size:
                yield held
                held, filled = bytearray(size), 0
    if filled:
        yield held[:filled]


@contextlib.contextmanager
def _given(held: bytearray) -> Iterator[Iterator[bytearray]]:
    yield iter([held])


@contextlib.contextmanager
def _at(opened: Opened, offset: int) -> Iterator[Any]:
    with opened() as file:
        file.seek(offset)
        yield file
