"""Garbage collection: what is referred to stays, what is not and is old goes, on every kind of store."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from mlworkflow.core.collection import Member, encode
from mlworkflow.core.values import ArtifactRef
from mlworkflow.store import garbage, models
from mlworkflow.store._protocol import ArtifactStore, Entry
from mlworkflow.store.directory import DirectoryStore
from mlworkflow.store.errors import StoreUnavailable
from mlworkflow.store.garbage import DAY, Known, Report, Retention, collect
from mlworkflow.store.layout import AttemptKey, CheckpointKey, cas_key, gone_key, record_key, upload_key
from mlworkflow.store.presence import is_present
from mlworkflow.store.records import Record, write_checkpoint, write_left, write_log
from mlworkflow.store.s3 import S3Store
from mlworkflow.store.signing import BlobSigner
from mlworkflow.store.uploads import Upload, write_upload

from tests.builders import write_record

NOBODY = Known((), ())
AT_ONCE = Retention(runs=0, cache=0, grace=0)


class Place:
    """A namespace of its own."""

    def __init__(self, store: ArtifactStore) -> None:
        self.store = store
        self.namespace = f"ns-{uuid.uuid4().hex[:12]}"

    def put(self, data: bytes, type_: str = "file") -> ArtifactRef:
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        self.store.write_bytes(cas_key(self.namespace, digest), data)
        return ArtifactRef(digest, len(data), type_)

    def record(self, uid: str, task: str = "train", attempt: int = 0, **fields: Any) -> None:
        record = Record(exit_code=0, workflow="w", step=task, task=task, attempt=attempt, kind="container", **fields)
        write_record(self.store, AttemptKey(self.namespace, uid, task, attempt), record)

    def note(self, key: str, **document: Any) -> None:
        self.store.write_bytes(f"{self.namespace}/{key}", msgspec.json.encode(document))

    def has(self, *artifacts: ArtifactRef) -> list[bool]:
        return [self.store.stat(cas_key(self.namespace, artifact.digest)) is not None for artifact in artifacts]

    def collect(self, known: Known = NOBODY, retention: Retention = AT_ONCE, **options: Any) -> Report:
        return collect(self.store, self.namespace, known, retention, **options)


def later(store: ArtifactStore) -> None:
    """Until what was written is older than a second, which is as exact as a store's times are."""
    time.sleep(1.2 if isinstance(store, S3Store) else 0.02)


@pytest.fixture
def place(store: ArtifactStore) -> Place:
    return Place(store)


def test_what_runs_refer_to_stays_and_what_nobody_does_goes(place: Place) -> None:
    kept = [place.put(name) for name in (b"model", b"log", b"checkpoint", b"stopped", b"left", b"a", b"b")]
    model, log, checkpoint, stopped, left, a, b = kept
    inner = place.put(encode([Member(b, 1, "Succeeded"), Member(None, 2, "Failed")]), "collection")
    outer = place.put(encode([Member(a, 1, "Succeeded"), Member(inner, 2, "Succeeded")]), "collection")
    place.record("u1", outputs={"model": model, "all": outer}, logs=log)
    write_checkpoint(place.store, CheckpointKey(place.namespace, "u1", "train"), checkpoint)
    write_log(place.store, AttemptKey(place.namespace, "u1", "train", 1), stopped)
    write_left(place.store, AttemptKey(place.namespace, "u1", "train", 1), {"trace": left})
    place.note("models/best.json", model={"digest": (promoted := place.put(b"promoted")).digest})
    place.note("models/all.json", is_=(several := place.put(encode([Member(place.put(b"m"), 0, "Succeeded")]))).digest)
    garbage_ = [place.put(b"x"), place.put(b"y" * 100)]
    later(place.store)
    known = Known({"u1"}, {"u1"})
    told = place.collect(known, dry_run=True)
    assert all(place.has(*kept, *garbage_))
    report = place.collect(known)
    assert (report.objects, report.bytes, report.records, report.kept_objects) == (2, 101, 0, 12)
    assert msgspec.structs.replace(told, dry_run=False) == report
    assert all(
        place.has(*kept, inner, outer, promoted, several, ArtifactRef("sha256:" + hashlib.sha256(b"m").hexdigest(), 1))
    )
    assert not any(place.has(*garbage_))
    assert place.collect(known).objects == 0


def test_a_run_that_is_gone_has_its_time_and_then_leaves_nothing_that_others_need_not(place: Place) -> None:
    own, shared = place.put(b"own"), place.put(b"shared")
    place.record("u1", outputs={"a": own, "b": shared})
    place.record("u1", "other", outputs={"a": own})
    place.record("u2", outputs={"b": shared})
    later(place.store)
    known = Known({"u2"}, ())
    assert place.collect(known).records == 0, "from now on its time counts"
    assert place.store.stat(gone_key(place.namespace, "u1")) is not None
    later(place.store)
    assert place.collect(known, Retention(runs=60, grace=0)).records == 0
    report = place.collect(known)
    assert [
        (share.uid, share.workflow, share.why, share.records, share.objects, share.bytes) for share in report.runs
    ] == [("u1", "w", "retention", 2, 1, 3)]
    assert place.has(own, shared) == [False, True]
    assert list(place.store.list(f"{place.namespace}/runs/")) == [record_key(place.namespace, "u2", "train", 0)]


def test_what_is_told_to_be_there_is_new_again(place: Place) -> None:
    artifact = place.put(b"uploaded long ago")
    key = cas_key(place.namespace, artifact.digest)
    later(place.store)
    before = next(place.store.entries(f"{place.namespace}/")).modified
    assert place.store.refresh(key, before - 5) == artifact.size
    assert next(place.store.entries(f"{place.namespace}/")).modified == before, "it was new enough"
    assert place.store.refresh(key, place.store.now() + 5) == artifact.size
    after = next(place.store.entries(f"{place.namespace}/"))
    assert after.modified > before
    assert after.size == artifact.size
    assert place.store.read_bytes(key) == b"uploaded long ago"
    assert not place.store.discard(key, after.modified - 5)
    assert place.store.discard(key, after.modified + 5)
    assert place.store.refresh(key, 0) is None
    assert not place.store.discard(key, after.modified + 5)
    assert not is_present(place.store, key, artifact.size)


def test_a_listing_tells_sizes_and_times_and_folders(place: Place) -> None:
    now = place.store.now()
    place.put(b"four")
    place.note("runs/u/train/0.json", x=1)
    found = sorted(place.store.entries(f"{place.namespace}/"))
    assert [entry.size for entry in found] == [4, 7]
    assert all(abs(entry.modified - now) < 30 for entry in found)
    assert sorted(place.store.folders(f"{place.namespace}/")) == ["cas", "runs"]
    assert place.namespace in garbage.namespaces(place.store)
    assert list(place.store.folders(f"{place.namespace}/nothing/")) == []
    assert list(place.store.entries(f"{place.namespace}/nothing/")) == []


# ── with a clock that a test moves ─────────────────────────────────────────────────────────────────────────────────


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def old(tmp_path: Path, signer: BlobSigner, clock: Clock) -> Place:
    return Place(DirectoryStore(tmp_path / "old", signer, clock))


def test_an_output_s_own_time_ends_before_its_run_s(old: Place, clock: Clock) -> None:
    model, plot, same, only = (old.put(name) for name in (b"model", b"plot", b"same", b"only"))
    members = old.put(encode([Member(only, 0, "Succeeded")]), "collection")
    keep = {"model": "30d", "same": "30d", "all": "30d"}
    old.record("u1", outputs={"model": model, "plot": plot, "same": same, "all": members}, keep=keep, logs=same)
    old.record("u1", "evaluate", inputs={"model": model.digest})
    known = Known({"u1"}, ())
    clock.now += 29 * DAY
    assert old.collect(known, Retention()).objects == 0
    clock.now += 2 * DAY
    assert old.collect(Known({"u1"}, {"u1"}), Retention()).objects == 0, "it is under way: a later step may want it"
    report = old.collect(known, Retention())
    assert [(share.why, share.objects) for share in report.runs] == [("unreferenced", 1), ("keep", 2)]
    assert old.has(model, plot, same, members, only) == [False, True, True, False, False]
    assert old.store.stat(record_key(old.namespace, "u1", "train", 0)) is not None


def test_the_cache_keeps_what_it_may_use(old: Place, clock: Clock) -> None:
    cached = old.put(b"cached")
    old.note("cache/ab/cdef.json", result={"model": {"digest": cached.digest, "type": "file"}})
    clock.now += 30 * DAY
    assert old.collect(retention=Retention()).objects == 0
    clock.now += 2 * DAY
    assert old.collect(retention=Retention()).objects == 1
    assert list(old.store.list(f"{old.namespace}/cache/")) == []


def test_nothing_is_removed_in_its_first_day(old: Place, clock: Clock) -> None:
    fresh = old.put(b"fresh")
    clock.now += DAY - 1
    assert old.collect(retention=Retention()).objects == 0
    assert is_present(old.store, cas_key(old.namespace, fresh.digest), 5)
    clock.now += DAY - 1
    assert old.collect(retention=Retention()).objects == 0, "somebody was told that it is there"
    clock.now += 2
    assert old.collect(retention=Retention()).objects == 1


def test_nobody_s_documents_are_roots_too(old: Place, clock: Clock) -> None:
    kept = [old.put(name) for name in (b"a", b"b", b"c")]
    old.note("somewhere/deep/x.json", text=f"see {kept[0].digest}")
    old.store.write_bytes(f"{old.namespace}/somewhere/broken.json", f"{{{kept[1].digest}".encode())
    old.store.write_bytes(f"{old.namespace}/runs/not_a_uid/x.json", kept[2].digest.encode())
    clock.now += 400 * DAY
    assert old.collect(retention=Retention()).objects == 0
    assert all(old.has(*kept))


class Interrupted(DirectoryStore):
    """Does something just before an object is removed, or refuses to list."""

    before: Callable[[str], None] = staticmethod(lambda key: None)
    broken = ""

    def discard(self, key: str, before: float) -> bool:
        self.before(key)
        return super().discard(key, before)

    def entries(self, prefix: str) -> Iterator[Entry]:
        if self.broken and self.broken in prefix:
            raise StoreUnavailable("SlowDown")
        yield from super().entries(prefix)


@pytest.fixture
def torn(tmp_path: Path, signer: BlobSigner, clock: Clock) -> Place:
    return Place(Interrupted(tmp_path / "torn", signer, clock))


def test_it_may_be_killed_anywhere_and_begun_anew(torn: Place, clock: Clock) -> None:
    kept = torn.put(b"kept")
    torn.record("u1", outputs={"o": kept})
    for number in range(5):
        torn.put(b"%d" % number)
        torn.record("u2", f"t{number}", outputs={"o": torn.put(b"of u2, %d" % number)})
    clock.now += 2 * DAY
    known = Known({"u1"}, ())
    torn.collect(known, Retention(runs=DAY))
    clock.now += 2 * DAY
    for limit in range(1, 40):
        left = [limit]

        def is_stopped(left: list[int] = left) -> bool:
            left[0] -= 1
            return left[0] < 0

        try:
            torn.collect(known, Retention(runs=DAY), is_stopped=is_stopped)
            break
        except garbage.Stopped:
            assert torn.has(kept) == [True]
    assert list(torn.store.list(f"{torn.namespace}/cas/")) == [cas_key(torn.namespace, kept.digest)]
    assert len(list(torn.store.list(f"{torn.namespace}/runs/"))) == 1


@pytest.mark.parametrize("prefix", ["/runs/", "/cache/", "/models/"])
def test_a_store_that_does_not_tell_everything_loses_nothing(torn: Place, clock: Clock, prefix: str) -> None:
    kept = torn.put(b"kept")
    torn.note("models/best.json", digest=kept.digest)
    torn.record("u1", outputs={"o": kept})
    torn.put(b"garbage")
    clock.now += 2 * DAY
    assert isinstance(torn.store, Interrupted)
    torn.store.broken = prefix
    with pytest.raises(StoreUnavailable):
        torn.collect(Known({"u1"}, ()), Retention())
    assert len(list(torn.store.list(f"{torn.namespace}/cas/"))) == 2


def test_parts_of_an_upload_that_nobody_completed_go_when_they_are_old(s3_store: S3Store) -> None:
    place = Place(s3_store)
    data = b"x" * 1000
    upload = Upload("sha256:" + hashlib.sha256(data).hexdigest(), 1000, 5 << 20, ["sha256:" + "0" * 64])
    key = cas_key(place.namespace, upload.digest)
    parts = s3_store.in_parts
    assert parts is not None
    known, unknown = parts.begin(key, "uid/task"), parts.begin(key, "uid/task")
    noted = upload_key(place.namespace, upload.digest, upload.name)
    write_upload(s3_store, noted, msgspec.structs.replace(upload, upload=known))
    later(s3_store)
    place.collect(retention=Retention(grace=60))
    place.collect(dry_run=True)
    assert {id_ for id_, _ in parts.begun(key)} == {known, unknown}
    assert s3_store.stat(noted) is not None
    place.collect()
    assert {id_ for id_, _ in parts.begun(key)} == {unknown}
    assert s3_store.stat(noted) is None
    write_upload(s3_store, noted, upload)  # as it is before the store has said its id
    later(s3_store)
    place.collect()
    assert list(parts.begun(key)) == []
    assert list(s3_store.list(f"{place.namespace}/")) == []


def test_an_upload_keeps_no_artifact(place: Place) -> None:
    artifact = place.put(b"an artifact that somebody uploads once more")
    upload = Upload(artifact.digest, artifact.size, 5 << 20, [artifact.digest])
    write_upload(place.store, upload_key(place.namespace, upload.digest, upload.name), upload)
    later(place.store)
    place.collect()
    assert place.has(artifact) == [False]


def test_a_version_that_no_alias_means_goes_when_its_time_is_over(old: Place, clock: Clock) -> None:
    versions = [old.put(name) for name in (b"one", b"two", b"three")]
    note = old.put(b"noted")
    old.note("models/m/card.json", digest=note.digest)
    for number, version in enumerate(versions):
        wish = models.Wish(alias="champion", by="bob", id=str(number))
        models.promote(old.store, old.namespace, "m", models.Candidate(version, None), wish)
        clock.now += 10 * DAY
    for_ever, lately, soon = Retention(), Retention(models=15 * DAY), Retention(models=DAY)
    for retention, left in (
        (for_ever, [True, True, True]),
        (lately, [False, True, True]),
        (soon, [False, False, True]),
    ):
        old.collect(retention=retention)
        assert old.has(*versions, note) == [*left, True]
    wish = models.Wish(alias="champion", by="bob", id="back")
    with pytest.raises(models.ModelGone, match=r"version 2 of 'm': .* is not in the store any more"):
        models.rollback(old.store, old.namespace, "m", wish)
