"""Runs that have ended, kept in every kind of store: the document, the list, and how both go."""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import Any

import pytest
from mlworkflow.core.values import ArtifactRef
from mlworkflow.store import archive
from mlworkflow.store._protocol import ArtifactStore
from mlworkflow.store.directory import DirectoryStore
from mlworkflow.store.garbage import DAY, Known, Retention, collect
from mlworkflow.store.layout import AttemptKey, Line, cas_key, line_key, records_prefix, workflow_key
from mlworkflow.store.records import Record, decode, raw_records
from mlworkflow.store.s3 import S3Store
from mlworkflow.store.signing import BlobSigner

from tests.builders import write_record

SECRET = {"url": "https://x", "headers": {"Authorization": "Bearer secret"}}
DIGEST = "sha256:" + "a" * 64


class Place:
    """A namespace of its own."""

    def __init__(self, store: ArtifactStore) -> None:
        self.store, self.namespace = store, f"ns-{uuid.uuid4().hex[:12]}"

    def resource(self, name: str = "w", uid: str = "u1", second: int = 1, **status: Any) -> dict[str, Any]:
        inner = {"name": "b", "container": {"image": "i"}, "onSuccess": [SECRET]}
        return {
            "apiVersion": "mlworkflow.io/v1alpha1",
            "kind": "MLWorkflow",
            "metadata": {"name": name, "namespace": self.namespace, "uid": uid, "generation": 2, "resourceVersion": "7",
                         "labels": {"team": "a"}, "managedFields": [{}],
                         "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "secret", "note": "n"}},
            "spec": {"params": {"seed": 7}, "steps": [{"name": "g", "steps": [inner], "onFailure": [SECRET]}]},
            "status": {"phase": "Succeeded", "finishedAt": f"2026-11-25T12:00:{second:02}.250Z",
                       "steps": [{"name": "g", "artifacts": {"m": {"digest": DIGEST, "size": 1, "type": "file"}}}], **status},
        }  # fmt: skip

    def lines(self, run: str = "") -> list[Line]:
        return sorted(archive.lines(self.store, self.namespace, run), key=lambda line: line.ended)

    def collect(self, existing: set[str] | None = None, runs: float = 0.0) -> None:
        time.sleep(1.2 if isinstance(self.store, S3Store) else 0.02)
        collect(self.store, self.namespace, Known(existing or set(), ()), Retention(runs=runs, cache=0, grace=0))


@pytest.fixture
def place(store: ArtifactStore) -> Place:
    return Place(store)


def test_a_run_is_read_back_without_what_may_be_secret(place: Place) -> None:
    resource = place.resource()
    assert not archive.is_archived(place.store, "w", resource)
    archive.archive(place.store, "w", resource)
    assert archive.is_archived(place.store, "w", resource)
    found = archive.read(place.store, place.namespace, "u1")
    assert found is not None
    assert (found["id"], found["status"], found["spec"]["params"]) == ("w", resource["status"], {"seed": 7})
    assert found["metadata"] == {"name": "w", "namespace": place.namespace, "uid": "u1", "generation": 2,
                                 "labels": {"team": "a"}, "annotations": {"note": "n"}}  # fmt: skip
    assert "secret" not in str(found)
    assert archive.read(place.store, place.namespace, "u2") is None


def test_the_list_says_all_without_a_document_and_knows_a_later_end(place: Place) -> None:
    for name, uid, second in (("w", "u1", 1), ("w", "u2", 2), ("w.3", "u3", 3), ("v", "u4", 4)):
        archive.archive(place.store, name, place.resource(name, uid, second))
    assert [(line.run, line.uid) for line in place.lines()] == [("w", "u1"), ("w", "u2"), ("w.3", "u3"), ("v", "u4")]
    assert [line.uid for line in place.lines("w")] == ["u1", "u2", "u3"]
    assert place.lines("nobody") == []
    archive.archive(place.store, "w", place.resource("w", "u1", 9, phase="Failed"))
    assert place.lines("w")[-1] == Line("w", 1_795_608_009_250, "u1", "Failed")
    assert len(place.lines()) == 4, "one line a run"


def test_a_purge_removes_all_of_a_run_and_nothing_of_another(place: Place) -> None:
    for uid in ("u1", "u2"):
        archive.archive(place.store, "w", place.resource("w", uid))
        record = Record(exit_code=0, workflow="w", step="a", task="a", attempt=0, kind="container")
        write_record(place.store, AttemptKey(place.namespace, uid, "a", 0), record)
    assert archive.purge(place.store, place.namespace, "u1") == 2
    assert list(place.store.list(records_prefix(place.namespace, "u1"))) == []
    assert [line.uid for line in place.lines()] == ["u2"]
    assert archive.purge(place.store, place.namespace, "u1") == 0
    assert len(list(place.store.list(records_prefix(place.namespace, "u2")))) == 2


def test_it_goes_with_the_records(place: Place) -> None:
    archive.archive(place.store, "w", place.resource())
    place.collect({"u1"})
    place.collect(runs=3600)  # now it is known to be gone
    assert [line.uid for line in place.lines()] == ["u1"]
    place.collect()
    assert place.lines() == []
    assert list(place.store.list(f"{place.namespace}/")) == []


def test_it_keeps_no_artifact_by_itself(tmp_path: Path) -> None:
    now = [1_800_000_000.0]
    place = Place(DirectoryStore(tmp_path, BlobSigner(b"x" * 32), lambda: now[0]))
    place.store.write_bytes(cas_key(place.namespace, DIGEST), b"x")
    archive.archive(place.store, "w", place.resource())
    record = Record(exit_code=0, workflow="w", step="a", task="a", attempt=0, kind="container",
                    outputs={"m": ArtifactRef(DIGEST, 1)}, keep={"m": "30d"})  # fmt: skip
    write_record(place.store, AttemptKey(place.namespace, "u1", "a", 0), record)
    for days, there in ((29, True), (2, False)):
        now[0] += days * DAY
        collect(place.store, place.namespace, Known({"u1"}, ()), Retention())
        assert (place.store.stat(cas_key(place.namespace, DIGEST)) is not None) is there, days
    assert place.lines()


def test_a_line_of_nothing_goes_whatever_was_killed(place: Place) -> None:
    archive.archive(place.store, "w", place.resource())
    place.store.delete(workflow_key(place.namespace, "u1"))
    place.store.write_bytes(line_key(place.namespace, Line("v", 1, "u9", "Failed")), b"{}")
    place.collect()
    assert place.lines() == []


def test_all_records_of_a_namespace_are_told(place: Place) -> None:
    for uid, task in (("u1", "a"), ("u1", "b/0.c"), ("u2", "a")):
        record = Record(exit_code=0, workflow="w", step=task[0], task=task, attempt=0, kind="container")
        write_record(place.store, AttemptKey(place.namespace, uid, task, 0), record)
    archive.archive(place.store, "w", place.resource())
    found = {(raw.key.uid, raw.key.task): decode(raw.data).task for raw in raw_records(place.store, place.namespace)}
    assert found == {("u1", "a"): "a", ("u1", "b/0.c"): "b/0.c", ("u2", "a"): "a"}
