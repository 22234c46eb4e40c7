"""Garbage collection of one namespace: mark what is referred to, then sweep what is not and is old. May be killed anywhere, and begun anew.

Roots are the records, logs and checkpoints of runs that exist or whose time after that is not over, what the cache remembers for as
long as it may be used, and models that were promoted. What was written or refreshed lately stays in any case: a step may have
uploaded it, or been told that it is there (`presence`), that no record names yet. Documents that came while we marked are
looked at before anything is removed. Memory: eight bytes an artifact, and one run at a time.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

import msgspec

from mlworkflow.core.duration import seconds
from mlworkflow.store import archive, layout, models
from mlworkflow.store._protocol import ArtifactStore, Entry
from mlworkflow.store.errors import InvalidKey, NotFound
from mlworkflow.store.marks import Marks
from mlworkflow.store.references import References, references
from mlworkflow.store.uploads import read_upload

DAY = 86400.0
BATCH = 50_000
"""Artifacts that are looked at once more, all together, before they are removed."""
MOST_EXPLAINED = 200_000
"""Artifacts of which it is remembered which run left them."""
SLACK = 300.0
"""Seconds by which a store's times may be wrong."""
_BEGINS = b'{"items":['
_LARGEST_MANIFEST = 64 << 20
_log = logging.getLogger("mlworkflow.garbage")


@dataclass(frozen=True, slots=True)
class Retention:
    """Seconds: `runs` that the records of a run stay whose resource is gone, `cache` that the cache remembers, `models` that a version of a model by
    name stays that no alias means any more (None: for ever), `grace` that anything new stays.
    """

    runs: float = 90 * DAY
    cache: float = 30 * DAY
    grace: float = DAY
    models: float | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of runs by their uid: which exist, and which of them may still use what they have left."""

    existing: Collection[str]
    under_way: Collection[str]


class Share(msgspec.Struct, frozen=True, rename="camel"):
    """What of one run is removed; `uid` is empty for what no run left that is known. `why` is ``retention``, ``keep`` or ``unreferenced``."""

    uid: str
    workflow: str
    why: str
    records: int
    objects: int
    bytes: int


class Report(msgspec.Struct, frozen=True, rename="camel"):
    """What was removed, or would be (`dry_run`)."""

    namespace: str
    dry_run: bool
    kept_objects: int
    kept_bytes: int
    objects: int
    bytes: int
    records: int
    runs: list[Share]


class Stopped(Exception):
    """The collection was told to end; what it has removed by then was garbage."""


def collect(
    store: ArtifactStore,
    namespace: str,
    known: Known,
    retention: Retention,
    *,
    dry_run: bool = False,
    is_stopped: Callable[[], bool] = lambda: False,
) -> Report:
    """Removes the garbage of a namespace. `known` must have been found out before. Raises `StoreError`, `Stopped`."""
    return _Collection(store, namespace, known, retention, dry_run, is_stopped).report()


class _Collection:
    def __init__(
        self,
        store: ArtifactStore,
        namespace: str,
        known: Known,
        retention: Retention,
        dry_run: bool,
        is_stopped: Callable[[], bool],
    ) -> None:
        self._store = store
        self._namespace = namespace
        self._known = known
        self._retention = retention
        self._dry_run = dry_run
        self._is_stopped = is_stopped
        self._now = store.now()
        self._known_prefixes = {
            f"{namespace}/cas/",
            layout.runs_prefix(namespace),
            layout.cache_prefix(namespace),
            layout.archive_prefix(namespace),
            layout.uploads_prefix(namespace),
        }
        self._marks = Marks()
        self._followed = Marks()
        self._workflows: dict[str, str] = {}
        self._lapsed: dict[str, tuple[str, str]] = {}
        self._records: Counter[tuple[str, str]] = Counter()
        self._objects: Counter[tuple[str, str]] = Counter()
        self._bytes: Counter[tuple[str, str]] = Counter()

    def report(self) -> Report:
        if not self._dry_run:
            self._abort_uploads()
        self._mark()
        kept, size = self._sweep()
        owners = sorted({*self._records, *self._objects})
        shares = [
            Share(uid, self._workflows.get(uid, ""), why, self._records[uid, why], self._objects[uid, why], self._bytes[uid, why])
            for uid, why in owners
        ]  # fmt: skip
        return Report(
            self._namespace,
            self._dry_run,
            kept,
            size,
            self._objects.total(),
            self._bytes.total(),
            self._records.total(),
            shares,
        )

    # ── what is needed ─────────────────────────────────────────────────────────────────────────────────────────────

    def _mark(self) -> None:
        for uid in self._store.folders(layout.runs_prefix(self._namespace)):
            self._check()
            self._run(uid)
        for entry in self._store.entries(layout.cache_prefix(self._namespace)):
            if entry.modified >= self._now - self._retention.cache - self._retention.grace:
                self._document(entry)
            elif not self._dry_run and entry.key.endswith(".json"):
                self._store.discard(entry.key, self._now - self._retention.cache - self._retention.grace)
        lasts = self._retention.models is None
        for prefix in self._others():
            for entry in self._store.entries(prefix):
                if lasts or layout.move_number(entry.key) is None:
                    self._document(entry)
        if not lasts:
            self._versions()
        if not self._dry_run:
            archive.drop_lines_of_none(self._store, self._namespace)

    def _versions(self) -> None:
        """Marks the versions of models that an alias means, or has meant not so long ago."""
        assert self._retention.models is not None
        for model in models.every(self._store, self._namespace):
            for digest in model.named_since(self._now - max(self._retention.models, self._retention.grace)):
                self._marks.add(digest)

    def _others(self) -> Iterator[str]:
        """Whatever is kept beside artifacts, runs and the cache, such as models: it has no age."""
        for name in self._store.folders(f"{self._namespace}/"):
            if (prefix := f"{self._namespace}/{name}/") not in self._known_prefixes:
                yield prefix

    def _run(self, uid: str) -> None:
        try:
            folder, gone_key = layout.records_prefix(self._namespace, uid), layout.gone_key(self._namespace, uid)
        except InvalidKey:  # not ours
            for entry in self._store.entries(f"{layout.runs_prefix(self._namespace)}{uid}/"):
                self._document(entry)
            return
        entries = list(self._store.entries(folder))
        gone = next((entry for entry in entries if entry.key == gone_key), None)
        documents = [entry for entry in entries if entry.key != gone_key]
        if uid in self._known.existing:
            self._keep(uid, documents)
            if gone and not self._dry_run:
                self._store.delete(gone_key)
        elif gone is None:
            self._keep(uid, documents)
            if documents and max(entry.modified for entry in documents) < self._now - self._retention.grace:
                self._is_gone(gone_key)
        elif gone.modified >= self._now - self._retention.runs:
            self._keep(uid, documents)
        else:
            self._forget(uid, documents, gone)

    def _is_gone(self, key: str) -> None:
        """From now on its time runs: nobody else tells when a resource was deleted."""
        if not self._dry_run:
            self._store.write_bytes(key, b"{}", if_absent=True)

    def _keep(self, uid: str, documents: list[Entry]) -> None:
        """Marks what a run refers to, but for outputs whose own time is over."""
        found: set[str] = set()
        collections: set[str] = set()
        firm: set[str] = set()
        lapsed: set[str] = set()
        workflow = ""
        for entry in documents:
            document = self._read(entry)
            found |= document.digests
            collections |= document.collections
            workflow = workflow or document.workflow
            firm |= document.rest
            for name, digest in document.outputs.items():
                is_over = name in document.keep and self._is_over(uid, entry, document.keep[name])
                (lapsed if is_over else firm).add(digest)
        gone = lapsed - firm
        for digest in found - gone:
            self._marks.add(digest)
        for digest in collections - gone:
            self._follow(digest)
        self._removes(gone, (uid, "keep"), workflow)

    def _removes(self, digests: Collection[str], owner: tuple[str, str], workflow: str) -> None:
        """Remembers whose artifacts these were, of a bounded number."""
        if digests and len(self._lapsed) < MOST_EXPLAINED:
            self._lapsed.update(dict.fromkeys(digests, owner))
        if digests and workflow:
            self._workflows[owner[0]] = workflow

    def _is_over(self, uid: str, record: Entry, keep: str) -> bool:
        return uid not in self._known.under_way and record.modified + seconds(keep) < self._now

    def _forget(self, uid: str, documents: list[Entry], gone: Entry) -> None:
        """A run's time is over: its documents go, last of all what says so. Its artifacts follow, where nobody else needs them."""
        owner = (uid, "retention")
        for entry in documents:
            self._check()
            document = self._read(entry)
            self._removes(document.digests, owner, document.workflow)
            self._records[owner] += 1
            if not self._dry_run:
                self._store.delete(entry.key)
        if not self._dry_run:
            self._store.delete(gone.key)

    def _document(self, entry: Entry) -> None:
        """Marks what a document refers to that is no run's; what its types do not say is looked up."""
        document = self._read(entry)
        for digest in document.digests:
            self._marks.add(digest)
        for digest in document.collections | {digest for digest in document.untyped if self._may_be_collection(digest)}:
            self._follow(digest)

    def _read(self, entry: Entry) -> References:
        if not entry.key.endswith(".json"):
            return References()
        try:
            if layout.is_workflow_key(entry.key):  # it keeps nothing: the records do, some of it for a while only
                return References(workflow=archive.name_in(self._store.read_bytes(entry.key)))
            return references(self._store.read_bytes(entry.key))
        except NotFound:
            return References()  # deleted meanwhile

    def _follow(self, digest: str) -> None:
        """Marks the members of a collection, however deep."""
        pending = [digest]
        while pending:
            at = pending.pop()
            if not self._followed.add(at):
                continue
            key = layout.cas_key(self._namespace, at)
            try:
                found = references(self._store.read_bytes(key))
            except NotFound:
                continue
            for member in found.digests:
                self._marks.add(member)
            pending.extend(found.collections)

    def _may_be_collection(self, digest: str) -> bool:
        key = layout.cas_key(self._namespace, digest)
        try:
            size = self._store.stat(key)
            return (
                size is not None and size <= _LARGEST_MANIFEST and next(self._store.read(key), b"").startswith(_BEGINS)
            )
        except NotFound:
            return False

    # ── what nobody goes on with ───────────────────────────────────────────────────────────────────────────────────

    def _abort_uploads(self) -> None:
        """Parts of uploads that were never completed are paid for and seen by nobody. Who goes on with one writes its document anew."""
        parts, before = self._store.in_parts, self._now - self._retention.grace
        for entry in self._store.entries(layout.uploads_prefix(self._namespace)):
            key = layout.cas_key_of_upload(entry.key)
            if parts is None or key is None or entry.modified >= before:
                continue
            self._check()
            begun = read_upload(self._store, entry.key)
            uploads = [begun.upload] if begun and begun.upload else [id_ for id_, at in parts.begun(key) if at < before]
            for upload in uploads:
                parts.abort(key, upload)
            if self._store.discard(entry.key, before):
                _log.info("upload aborted key=%s", key)

    # ── what is not ────────────────────────────────────────────────────────────────────────────────────────────────

    def _sweep(self) -> tuple[int, int]:
        """Removes what is not marked; how much stays, in objects and bytes."""
        kept = size = 0
        for batch in self._batches():
            unmarked = [entry for entry, digest in batch if digest not in self._marks]
            unmarked = [entry for entry in unmarked if entry.modified < self._now - self._retention.grace]
            removed = self._remove(unmarked) if unmarked else set()
            kept += len(batch) - len(removed)
            size += sum(entry.size for entry, _ in batch if entry.key not in removed)
        return kept, size

    def _batches(self) -> Iterator[list[tuple[Entry, str]]]:
        batch: list[tuple[Entry, str]] = []
        for entry in self._store.entries(layout.cas_prefix(self._namespace)):
            if digest := layout.digest_of(entry.key):
                batch.append((entry, digest))
            if len(batch) == BATCH:
                yield batch
                batch = []
        yield batch

    def _remove(self, entries: list[Entry]) -> set[str]:
        self._mark_what_came()
        removed: set[str] = set()
        for entry in entries:
            self._check()
            digest = layout.digest_of(entry.key) or ""
            if digest in self._marks:
                continue
            if self._dry_run or self._store.discard(entry.key, self._now - self._retention.grace):
                removed.add(entry.key)
                owner = self._lapsed.get(digest, ("", "unreferenced"))
                self._objects[owner] += 1
                self._bytes[owner] += entry.size
        return removed

    def _mark_what_came(self) -> None:
        """A reference may have moved while we marked, from where we had yet to look to where we had looked already."""
        runs, cache = layout.runs_prefix(self._namespace), layout.cache_prefix(self._namespace)
        for prefix in (runs, cache, *self._others()):
            for entry in self._store.entries(prefix):
                if entry.modified >= self._now - SLACK:
                    self._document(entry)

    def _check(self) -> None:
        if self._is_stopped():
            raise Stopped


def namespaces(store: ArtifactStore) -> list[str]:
    """Those that have anything in the store."""
    return [name for name in store.folders("") if layout.is_namespace(name)]
