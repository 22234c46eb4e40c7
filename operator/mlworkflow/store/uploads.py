"""What is known of an upload in parts that is under way: which parts, each by its digest, and the store's id for it.

Kept beside the artifacts under a key that follows from the artifact and its parts, so that whoever has the same bytes goes on with what
has arrived, whichever attempt sent it. Written before the upload is begun, without an id: nothing that was begun is ever unknown.
"""

from __future__ import annotations

import hashlib

import msgspec

from mlworkflow.store._protocol import ArtifactStore
from mlworkflow.store.errors import NotFound


class Upload(msgspec.Struct, frozen=True, rename="camel"):
    """`digests` are those of the parts, all of `part_size` bytes but for the last; `upload` is empty while the store has no part of it."""

    digest: str
    size: int
    part_size: int
    digests: list[str]
    upload: str = ""

    @property
    def name(self) -> str:
        """The digest of the list of parts."""
        text = f"{self.part_size}\n" + "\n".join(self.digests)
        return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"

    def size_of(self, number: int) -> int:
        """Bytes of a part; numbers count from 1."""
        return min(self.part_size, self.size - (number - 1) * self.part_size)


def read_upload(store: ArtifactStore, key: str) -> Upload | None:
    """What is known under a key of `layout.upload_key`."""
    try:
        return msgspec.json.decode(store.read_bytes(key), type=Upload)
    except (NotFound, msgspec.MsgspecError):
        return None


def write_upload(store: ArtifactStore, key: str, upload: Upload) -> None:
    """Notes it, in place of what was noted."""
    store.write_bytes(key, msgspec.json.encode(upload))
