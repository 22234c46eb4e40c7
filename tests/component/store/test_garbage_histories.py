"""Random histories of runs, uploads, commits, cache entries, promotions, deletions and collections, also in the middle of each other:
nothing that is needed is ever removed, and what nobody needs is removed in the end.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from mlworkflow.core.collection import Member, encode
from mlworkflow.core.values import ArtifactRef
from mlworkflow.store._protocol import Entry
from mlworkflow.store.directory import DirectoryStore
from mlworkflow.store.garbage import DAY, Known, Retention, Stopped, collect
from mlworkflow.store.layout import AttemptKey, cas_key
from mlworkflow.store.presence import is_present
from mlworkflow.store.records import Record
from mlworkflow.store.signing import BlobSigner

from tests.builders import write_record

NS = "ml"
RETENTION = Retention(runs=10 * DAY, cache=5 * DAY, grace=DAY)
RUNS, CONTENTS = st.integers(0, 3), st.integers(0, 5)


class Interrupted(DirectoryStore):
    """Lets others do something whenever the collection looks at a folder or is about to remove something."""

    others: Callable[[], None] = staticmethod(lambda: None)

    def entries(self, prefix: str) -> Iterator[Entry]:
        self.others()
        yield from super().entries(prefix)

    def discard(self, key: str, before: float) -> bool:
        self.others()
        return super().discard(key, before)


class Histories(RuleBasedStateMachine):
    """`live` is uid → what its records name; `uploaded` what a running step has put or was told is there, and when."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.now = 1_700_000_000.0
        self.store = Interrupted(Path(self.folder.name), BlobSigner(b"x" * 32), lambda: self.now)
        self.live: dict[str, set[str]] = {}
        self.gone: dict[str, tuple[float, set[str]]] = {}
        self.cached: dict[str, tuple[float, set[str]]] = {}
        self.promoted: set[str] = set()
        self.uploaded: dict[str, tuple[float, ArtifactRef]] = {}
        self.count = 0

    def teardown(self) -> None:
        self.folder.cleanup()

    # ── what steps and people do ───────────────────────────────────────────────────────────────────────────────────

    @rule(run=RUNS)
    def starts(self, run: int) -> None:
        self.live.setdefault(f"u{run}-{self.count}", set())
        self.count += 1

    @rule(content=CONTENTS, members=st.lists(CONTENTS, max_size=2))
    def uploads(self, content: int, members: list[int]) -> None:
        """As the gateway and the agent do: what is told to be there is not uploaded."""
        self._uploads(content, members)

    def _uploads(self, content: int, members: list[int] | None = None) -> None:
        if members:
            parts = [Member(self._put(b"%d" % n, "file"), n, "Succeeded") for n in members]
            artifact = self._put(encode(parts), "collection")
        else:
            artifact = self._put(b"%d" % content, "file")
        self.uploaded[artifact.digest] = (self.now, artifact)

    def _put(self, data: bytes, type_: str) -> ArtifactRef:
        artifact = ArtifactRef("sha256:" + hashlib.sha256(data).hexdigest(), len(data), type_)
        key = cas_key(NS, artifact.digest)
        if not is_present(self.store, key, len(data)):
            self.store.write_bytes(key, data)
        return artifact

    @rule(data=st.data())
    def commits(self, data: st.DataObject) -> None:
        """Of an upload that the gateway still finds there."""
        pending = sorted(self.uploaded)
        if pending and self.live:
            self._commits(data.draw(st.sampled_from(sorted(self.live))), data.draw(st.sampled_from(pending)))

    def _commits(self, uid: str, digest: str) -> None:
        at, artifact = self.uploaded.pop(digest)
        if at < self.now - RETENTION.grace / 2:
            return
        if is_present(self.store, cas_key(NS, digest), artifact.size):
            record = Record(
                exit_code=0,
                workflow="w",
                step="s",
                task="s",
                attempt=self.count,
                kind="container",
                outputs={"o": artifact},
            )
            self.count += 1
            assert write_record(self.store, AttemptKey(NS, uid, "s", record.attempt), record)
            self.live[uid].add(digest)

    @rule(data=st.data())
    def caches(self, data: st.DataObject) -> None:
        """A result of a live run, under a key of its own."""
        named = sorted({digest for digests in self.live.values() for digest in digests})
        if named:
            self._caches(data.draw(st.sampled_from(named)))

    def _caches(self, digest: str) -> None:
        key = f"{NS}/cache/{self.count}.json"
        self.count += 1
        self.store.write_bytes(key, msgspec.json.encode({"of": digest}))
        self.cached[key] = (self.now, {digest})

    @rule(data=st.data())
    def takes_from_the_cache(self, data: st.DataObject) -> None:
        """A run names what a young entry of the cache names."""
        usable = sorted(key for key, (at, _) in self.cached.items() if at > self.now - RETENTION.cache)
        if usable and self.live:
            self._takes(data.draw(st.sampled_from(sorted(self.live))), data.draw(st.sampled_from(usable)))

    def _takes(self, uid: str, key: str) -> None:
        (digest,) = self.cached[key][1]
        size = self.store.stat(cas_key(NS, digest))
        assert size is not None, "a young entry of the cache names what is not there"
        type_ = "collection" if self.store.read_bytes(cas_key(NS, digest)).startswith(b"{") else "file"
        self.uploaded[digest] = (self.now, ArtifactRef(digest, size, type_))
        self._commits(uid, digest)

    @rule(data=st.data())
    def promotes(self, data: st.DataObject) -> None:
        named = sorted({digest for digests in self.live.values() for digest in digests})
        if named:
            digest = data.draw(st.sampled_from(named))
            self.store.write_bytes(f"{NS}/models/{self.count}.json", msgspec.json.encode({"model": digest}))
            self.count += 1
            self.promoted.add(digest)

    @rule(data=st.data())
    def deletes(self, data: st.DataObject) -> None:
        if self.live:
            uid = data.draw(st.sampled_from(sorted(self.live)))
            self.gone[uid] = (self.now, self.live.pop(uid))

    @rule(days=st.sampled_from([0.1, 0.6, 1.5, 4.0, 11.0]))
    def waits(self, days: float) -> None:
        self.now += days * DAY

    # ── collections ────────────────────────────────────────────────────────────────────────────────────────────────

    @rule(data=st.data(), stop=st.none() | st.integers(0, 12))
    def collects(self, data: st.DataObject, stop: int | None) -> None:
        """While others go on, and killed in the middle where `stop` says so."""
        known, left = Known(set(self.live), set(self.live)), [stop]

        def others() -> None:
            match data.draw(st.integers(0, 7)):
                case 0:
                    self._uploads(data.draw(CONTENTS))
                case 1:
                    self.commits(data)
                case 2:
                    self.caches(data)
                case 3:
                    self.takes_from_the_cache(data)
                case 4:
                    self.deletes(data)

        def is_stopped() -> bool:
            if left[0] is None:
                return False
            left[0] -= 1
            return left[0] < 0

        self.store.others = others  # type: ignore[method-assign]
        try:
            collect(self.store, NS, known, RETENTION, is_stopped=is_stopped)
        except Stopped:
            pass
        finally:
            self.store.others = lambda: None  # type: ignore[method-assign]

    @invariant()
    def what_is_needed_is_there(self) -> None:
        if not hasattr(self, "store"):
            return
        for digest in self._needed():
            data = self.store.read_bytes(cas_key(NS, digest))
            if data.startswith(b"{"):
                for member in msgspec.json.decode(data)["items"]:
                    assert self.store.stat(cas_key(NS, member["artifact"]["digest"])) is not None

    def _needed(self) -> set[str]:
        needed = set(self.promoted).union(*self.live.values())
        for at, digests in self.gone.values():
            if at > self.now - RETENTION.runs:
                needed |= digests
        for at, digests in self.cached.values():
            if at > self.now - RETENTION.cache:
                needed |= digests
        return needed | {digest for digest, (at, _) in self.uploaded.items() if at > self.now - RETENTION.grace / 2}

    @rule()
    def everything_else_is_removed_in_the_end(self) -> None:
        self.uploaded.clear()
        for _ in range(2):
            self.now += 12 * DAY
            collect(self.store, NS, Known(set(self.live), ()), RETENTION)
        left = {entry.key for entry in self.store.entries(f"{NS}/cas/")}
        needed = set(self.promoted).union(*self.live.values())
        members: set[str] = set()
        for digest in needed:
            data = self.store.read_bytes(cas_key(NS, digest))
            if data.startswith(b"{"):
                members |= {member["artifact"]["digest"] for member in msgspec.json.decode(data)["items"]}
        assert left == {cas_key(NS, digest) for digest in needed | members}


TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=150, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
