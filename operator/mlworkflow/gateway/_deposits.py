"""Where steps put artifacts: whole with one signed PUT, or in parts, and what may be said to be there.

A PUT is bound to the artifact's digest by the store, so what it stored is right. Of an object in parts the store has enforced each part's
digest, as its uploader declared them, and nobody has seen that the whole has the digest it is named by. It is its task's *word*: good enough for what that
task commits, because every reader checks the digest. Before another task may build upon it ("it is there already"), or replace it, it
is read and verified here; wrong ones are removed. So a hostile step can spoil its own artifacts alone, at no cost for the
honest ones. Completing and looking go one after the other for each object: there is one gateway.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import AsyncIterator
from typing import Annotated, Any
from weakref import WeakValueDictionary

import msgspec

from mlworkflow.core.values import ArtifactRef
from mlworkflow.gateway.errors import Invalid, NotReady, Unknown
from mlworkflow.store._protocol import ArtifactStore
from mlworkflow.store.errors import NotFound
from mlworkflow.store.layout import AttemptKey, cas_key, upload_key
from mlworkflow.store.parts import LEAST_PART, MOST_PARTS, InParts, Part
from mlworkflow.store.presence import RENEWED_AFTER, is_present
from mlworkflow.store.uploads import Upload, read_upload, write_upload

BATCH = 200
"""Parts whose URLs can be asked for at once."""
_VERIFYING_SECONDS = 20.0
_Digest = Annotated[str, msgspec.Meta(pattern=r"^sha256:[0-9a-f]{64}\Z")]
_log = logging.getLogger("mlworkflow.gateway")


class Plan(ArtifactRef, frozen=True, kw_only=True, rename="camel"):
    """An artifact, and the digests of its parts in their order, each of `part_size` bytes but for the last."""

    part_size: Annotated[int, msgspec.Meta(ge=LEAST_PART)]
    digests: Annotated[list[_Digest], msgspec.Meta(min_length=1, max_length=MOST_PARTS)]


class Wanted(ArtifactRef, frozen=True, kw_only=True):
    """An artifact, its upload by the name that `begin` gave, and some of its parts, whose numbers count from 1."""

    upload: _Digest
    numbers: Annotated[list[int], msgspec.Meta(max_length=BATCH)] = []


class Deposits:
    """The ways in. Whoever calls has checked that the attempt may store the artifact."""

    def __init__(self, store: ArtifactStore, sign_expires: float) -> None:
        self._store = store
        self._sign_expires = sign_expires
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._verifications: dict[str, asyncio.Task[bool]] = {}

    async def place(self, key: AttemptKey, artifact: ArtifactRef) -> dict[str, Any]:
        """Permission to store an artifact, or the news that it is there already."""
        at = cas_key(key.namespace, artifact.digest)
        if await self._is_there(key, at, artifact):
            return {"exists": True}
        signed = await asyncio.to_thread(self._store.sign_put, at, artifact.digest, artifact.size, self._sign_expires)
        return {"url": signed.url, "headers": signed.headers}

    async def begin(self, key: AttemptKey, plan: Plan) -> dict[str, Any]:
        """Begins an upload, or goes on with one of the same parts: its name, and which have arrived."""
        parts = self._in_parts()
        if -(-plan.size // plan.part_size) != len(plan.digests):
            raise Invalid(f"{len(plan.digests)} parts of {plan.part_size} bytes are not {plan.size} bytes")
        at = cas_key(key.namespace, plan.digest)
        if await self._is_there(key, at, plan):
            return {"exists": True}
        upload = Upload(plan.digest, plan.size, plan.part_size, plan.digests)
        async with self._turn(at):
            there = await asyncio.to_thread(self._begun, parts, at, upload, key)
        return {"upload": upload.name, "there": there}

    async def urls(self, key: AttemptKey, wanted: Wanted) -> dict[str, Any]:
        """Permission to send some parts."""
        return {"parts": await asyncio.to_thread(self._urls, self._in_parts(), key.namespace, wanted)}

    async def complete(self, key: AttemptKey, wanted: Wanted) -> dict[str, Any]:
        """Makes the artifact of parts that have all arrived; raises `Unknown` if they have not, or their upload is over."""
        parts, at = self._in_parts(), cas_key(key.namespace, wanted.digest)
        async with self._turn(at):
            noted = upload_key(key.namespace, wanted.digest, wanted.upload)
            upload = await asyncio.to_thread(read_upload, self._store, noted)
            if not await self._is_there(key, at, wanted):
                if upload is None:
                    raise Unknown("there is no such upload any more")
                await asyncio.to_thread(self._complete, parts, at, upload)
            elif upload is not None and upload.upload:
                await asyncio.to_thread(parts.abort, at, upload.upload)
            await asyncio.to_thread(self._store.delete, noted)
        return {"stored": True}

    async def is_sound(self, key: AttemptKey, artifact: ArtifactRef) -> bool:
        """Whether an attempt may refer to an artifact that is there: it is verified, or the word of its own task. Raises `NotReady` while
        it is being verified.
        """
        parts = self._store.in_parts
        if parts is None or artifact.size <= LEAST_PART:
            return True
        at = cas_key(key.namespace, artifact.digest)
        if await asyncio.to_thread(parts.word, at) in ("", _word(key)):
            return True
        verification = self._verifications.get(at)
        if verification is None:
            verification = asyncio.create_task(asyncio.to_thread(self._verify, parts, at, artifact))
            self._verifications[at] = verification
            verification.add_done_callback(lambda _: self._verifications.pop(at, None))
        await asyncio.wait({verification}, timeout=_VERIFYING_SECONDS)
        if not verification.done():
            raise NotReady("the artifact is there already and is being verified")
        return verification.result()

    async def _is_there(self, key: AttemptKey, at: str, artifact: ArtifactRef) -> bool:
        is_there = await asyncio.to_thread(is_present, self._store, at, artifact.size)
        return is_there and await self.is_sound(key, artifact)

    def _begun(self, parts: InParts, at: str, upload: Upload, key: AttemptKey) -> list[int]:
        noted = upload_key(key.namespace, upload.digest, upload.name)
        known = read_upload(self._store, noted)
        if known is not None and known.upload:
            with contextlib.suppress(NotFound):
                there = [part.number for part in _whole(upload, parts.arrived(at, known.upload))]
                write_upload(self._store, noted, known)  # whose age begins anew
                return there
        write_upload(self._store, noted, upload)
        begun = msgspec.structs.replace(upload, upload=parts.begin(at, _word(key)))
        write_upload(self._store, noted, begun)
        return []

    def _urls(self, parts: InParts, namespace: str, wanted: Wanted) -> list[dict[str, Any]]:
        noted = upload_key(namespace, wanted.digest, wanted.upload)
        upload = read_upload(self._store, noted)
        if upload is None or not upload.upload:
            raise Unknown("there is no such upload any more")
        self._store.refresh(noted, self._store.now() - RENEWED_AFTER)
        at, urls = cas_key(namespace, wanted.digest), []
        for number in wanted.numbers:
            if not 1 <= number <= len(upload.digests):
                raise Invalid(f"the upload has no part {number}")
            digest, size = upload.digests[number - 1], upload.size_of(number)
            signed = parts.sign(at, upload.upload, number, digest, size, self._sign_expires)
            urls.append({"url": signed.url, "headers": signed.headers})
        return urls

    def _complete(self, parts: InParts, at: str, upload: Upload) -> None:
        try:
            there = _whole(upload, parts.arrived(at, upload.upload))
            if len(there) != len(upload.digests):
                raise Unknown(f"{len(upload.digests) - len(there)} parts of the upload are missing")
            parts.complete(at, upload.upload, there, upload.digests)
        except NotFound:
            raise Unknown("the upload is over") from None
        if self._store.stat(at) != upload.size:
            self._store.delete(at)
            raise Invalid("the parts do not make an object of this size")

    def _verify(self, parts: InParts, at: str, artifact: ArtifactRef) -> bool:
        digest, size = hashlib.sha256(), 0
        for chunk in self._store.read(at):
            digest.update(chunk)
            size += len(chunk)
        if size == artifact.size and f"sha256:{digest.hexdigest()}" == artifact.digest:
            parts.believe(at)
            return True
        _log.warning("artifact removed, not the bytes that it was said to be key=%s", at)
        self._store.delete(at)
        return False

    def _in_parts(self) -> InParts:
        if self._store.in_parts is None:
            raise Unknown("this store takes artifacts whole only")
        return self._store.in_parts

    @contextlib.asynccontextmanager
    async def _turn(self, at: str) -> AsyncIterator[None]:
        """Nobody else completes or begins an upload of the same object meanwhile."""
        self._turns[at] = turn = self._turns.get(at) or asyncio.Lock()
        async with turn:
            yield


def _whole(upload: Upload, arrived: list[Part]) -> list[Part]:
    """Parts that are as long as they are to be. Their bytes have the digests that their URLs were signed for."""
    numbers = range(1, len(upload.digests) + 1)
    return [part for part in arrived if part.number in numbers and part.size == upload.size_of(part.number)]


def _word(key: AttemptKey) -> str:
    """All attempts of a task are one."""
    return f"{key.uid}/{key.task}"
