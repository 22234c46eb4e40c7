"""The cache: results by the facts that they follow from, kept beside the records of a namespace.

A result is taken only if everything that it left is still in the store. What an order runs is told by the driver; what code an image carries is
told by the agent when it commits, and remembered by the image's digest. Nothing here is needed for correctness: what is lost is a miss.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from msgspec import structs

from mlworkflow.core import cachefacts
from mlworkflow.core.actions import Order
from mlworkflow.core.cachefacts import Identity
from mlworkflow.core.observation import Result
from mlworkflow.core.subject import Subject
from mlworkflow.engine.driver import Driver
from mlworkflow.store._protocol import ArtifactStore
from mlworkflow.store.errors import NotFound, StoreError
from mlworkflow.store.layout import AttemptKey, cache_code_key, cache_key, cache_step_key, cas_key
from mlworkflow.store.presence import renewed
from mlworkflow.store.records import encode

_log = logging.getLogger(__name__)
WAIT = 30.0
"""Seconds that a result waits for the word of what image it came from."""
LOOK = 0.25


class Entry(msgspec.Struct, frozen=True, rename="camel"):
    """A result, where it came from (``<workflow uid>/<task>/<attempt>``), and what it follows from."""

    source: str
    result: Result
    facts: dict[str, Any]


class _Facts(msgspec.Struct, frozen=True):
    facts: dict[str, Any]


class _Code(msgspec.Struct, frozen=True):
    code: str


@dataclass(frozen=True, slots=True)
class Found:
    """An earlier result, or why there is none to be taken."""

    result: Result | None = None
    missed: str = ""


@dataclass(frozen=True, slots=True)
class CacheStatistics:
    """How often an earlier result was asked for and found, or not, since the start."""

    hits: int
    misses: int


class Cache:
    """`clock` is the engine's."""

    def __init__(self, store: ArtifactStore, driver: Driver, clock: Callable[[], float]) -> None:
        self._store = store
        self._driver = driver
        self._clock = clock
        self._code: dict[tuple[str, str], str] = {}
        self._writing: set[asyncio.Task[None]] = set()
        self._hits = self._misses = 0

    async def find(self, order: Order) -> Found:
        """What is there for an order that may be looked up. Raises StoreError."""
        facts = cachefacts.facts_of(order, await self._identity(order))
        if isinstance(facts, str):
            found = Found(missed=facts)
        else:
            found = await asyncio.to_thread(self._find, order, facts)
        self._hits += found.result is not None
        self._misses += found.result is None
        return found

    def statistics(self) -> CacheStatistics:
        return CacheStatistics(self._hits, self._misses)

    async def keep(self, key: AttemptKey, order: Order, result: Result, *, is_awaited: bool) -> None:
        """Remember what an attempt has committed. Where what it ran is not known yet: `is_awaited` says whether to wait for that, or to do so later."""
        writing = asyncio.create_task(self._keep(key, order, result))
        self._writing.add(writing)
        writing.add_done_callback(self._writing.discard)
        if is_awaited or self._driver.image_digest(key.uid, (key.task, key.attempt)) is not None:
            await asyncio.shield(writing)

    async def close(self) -> None:
        """Return when nothing is left to be written."""
        await asyncio.gather(*self._writing)

    async def _identity(self, order: Order) -> Identity:
        identity = await self._driver.identity(order)
        if order.step.kind.command and identity.image and not identity.code:
            code = await asyncio.to_thread(self._known_code, order.namespace, identity.image)
            unknown = "" if code else f"what code the image {identity.image} carries is known once a step has run in it"
            identity = replace(identity, code=code, unknown=unknown)
        return identity

    def _known_code(self, namespace: str, image: str) -> str:
        known = (namespace, image)
        if known not in self._code:
            found = self._read(cache_code_key(namespace, image), _Code)
            if found is None:
                return ""
            self._code[known] = found.code
        return self._code[known]

    def _find(self, order: Order, facts: dict[str, Any]) -> Found:
        entry = self._read(cache_key(order.namespace, cachefacts.digest_of(facts)), Entry)
        if entry is None:
            return Found(missed=self._why(order, facts))
        age, limit = self._clock() - entry.result.finished_at, cachefacts.max_age_of(order)
        if limit is not None and age > limit:
            return Found(
                missed=f"cache.maxAge: the result of {entry.source} is {age:.0f} s old, {limit:.0f} s at most are wanted"
            )
        left = {**entry.result.outputs, **({"logs": entry.result.logs} if entry.result.logs else {})}
        for name, artifact in left.items():
            if renewed(self._store, cas_key(order.namespace, artifact.digest)) != artifact.size:
                return Found(missed=f"{name}: {artifact.digest} of {entry.source} is not in the store any more")
        return Found(structs.replace(entry.result, cached_from=entry.source))

    def _why(self, order: Order, facts: dict[str, Any]) -> str:
        last = self._read(cache_step_key(order.namespace, order.workflow, order.task), _Facts)
        if last is None:
            return "no result of this step is known"
        return "; ".join(cachefacts.difference(last.facts, facts)) or "the result of the last run is not there any more"

    async def _keep(self, key: AttemptKey, order: Order, result: Result) -> None:
        try:
            identity = await self._ran(key, order, result)
            if identity is not None:
                await asyncio.to_thread(self._write, key, order, result, identity)
        except StoreError as error:
            _log.warning("%s: not cached: %s", Subject(key.namespace, order.workflow, key.uid, key.task), error)

    async def _ran(self, key: AttemptKey, order: Order, result: Result) -> Identity | None:
        """What an attempt really ran, by the word of who ran it; None where it is never told."""
        identity = await self._driver.identity(order)
        image: str | None = None
        for _ in range(int(WAIT / LOOK)):
            image = self._driver.image_digest(key.uid, (key.task, key.attempt))
            if image is not None:
                break
            await asyncio.sleep(LOOK)
        if image is None:
            return None
        return replace(identity, image=image or identity.image, code=result.code or identity.code)

    def _write(self, key: AttemptKey, order: Order, result: Result, identity: Identity) -> None:
        known = (key.namespace, identity.image)
        if identity.image and identity.code and self._code.get(known) != identity.code:
            self._code[key.namespace, identity.image] = identity.code
            self._store.write_bytes(cache_code_key(key.namespace, identity.image), encode(_Code(identity.code)))
        facts = cachefacts.facts_of(order, identity)
        if isinstance(facts, str):
            return
        plain = Result(**{name: getattr(result, name) for name in Result.__struct_fields__})
        entry = Entry(f"{key.uid}/{key.task}/{key.attempt}", plain, facts)
        self._store.write_bytes(cache_key(key.namespace, cachefacts.digest_of(facts)), encode(entry))
        self._store.write_bytes(cache_step_key(key.namespace, order.workflow, key.task), encode(_Facts(facts)))

    def _read(self, key: str, kind: type[Any]) -> Any:
        try:
            return msgspec.json.decode(self._store.read_bytes(key), type=kind)
        except (NotFound, msgspec.DecodeError):
            return None
