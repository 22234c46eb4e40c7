"""Every workflow that has ended is kept: before it may be deleted, after a kill in between, and when it is deleted before its end. And so are logs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlworkflow.core.pods import MAIN
from mlworkflow.core.values import ArtifactRef
from mlworkflow.engine import records
from mlworkflow.store import archive
from mlworkflow.store.directory import DirectoryStore
from mlworkflow.store.layout import AttemptKey, cas_key
from mlworkflow.store.records import read_log
from mlworkflow.store.signing import BlobSigner

from tests.builders import WorkflowBuilder, a_workflow
from tests.component.kube.fake_api import until

from .cluster import given, operating, pod_of

KEY = AttemptKey("default", "uid-1", "a", 0)


def a_step(**body: Any) -> WorkflowBuilder:
    return a_workflow().kind("a", "container", {"image": "i", "command": ["c"], **body})


def store_in(folder: Path) -> DirectoryStore:
    return DirectoryStore(folder, BlobSigner(b"0" * 32))


def kept(folder: Path) -> Any:
    return archive.read(store_in(folder), "default", "uid-1")


def log_of(folder: Path) -> bytes:
    store = store_in(folder)
    ref = read_log(store, KEY)
    return store.read_bytes(cas_key("default", ref.digest)) if ref else b""


async def test_a_workflow_that_has_ended_is_kept_as_it_was(tmp_path: Path) -> None:
    api = given(a_step(agent=True))
    async with operating(api, tmp_path) as operator:
        assert kept(tmp_path) is None
        await operator.work(pod_of(api, "a"))
        await until(lambda: kept(tmp_path))
        assert (kept(tmp_path)["id"], kept(tmp_path)["status"]) == ("w", api.status())
        assert [line.phase for line in archive.lines(store_in(tmp_path), "default", "w")] == ["Succeeded"]
        api.edit(rerun={"id": "again", "steps": ["a"]})
        await operator.settled()
        await operator.work(pod_of(api, "a", 1), exit_code=1)
        await until(lambda: kept(tmp_path)["status"]["phase"] == "Failed")
        assert [line.phase for line in archive.lines(store_in(tmp_path), "default", "w")] == ["Failed"]


async def test_an_operator_that_was_killed_in_between_keeps_it_after_its_restart(tmp_path: Path) -> None:
    api = given(a_step(agent=True))
    async with operating(api, tmp_path) as operator:
        await operator.work(pod_of(api, "a"))
        await until(lambda: kept(tmp_path))
    store = store_in(tmp_path)
    for line in list(archive.lines(store, "default")):  # as if it had been killed before
        archive.purge(store, "default", line.uid)
    async with operating(api, tmp_path):
        await until(lambda: kept(tmp_path))


async def test_nothing_is_deleted_before_it_is_kept(tmp_path: Path) -> None:
    api = given(a_step(agent=True).having(ttl="0s"))
    async with operating(api, tmp_path) as operator:
        await operator.work(pod_of(api, "a"))
        await until(lambda: not api.objects["mlworkflows"])
    assert kept(tmp_path)["status"]["phase"] == "Succeeded"


async def test_a_workflow_that_is_deleted_before_its_end_is_kept_as_cancelled(tmp_path: Path) -> None:
    api = given(a_step(agent=True))
    async with operating(api, tmp_path) as operator:
        api.put("pods", api.pods[pod_of(api, "a")], status={"phase": "Running"})
        await operator.settled()
        api.remove("mlworkflows", "w")
        await until(lambda: kept(tmp_path))
    status = kept(tmp_path)["status"]
    assert (status["phase"], status["message"]) == ("Cancelled", "deleted before its end")
    assert status["steps"][0]["phase"] == "Cancelled"
    assert status["finishedAt"]


RUNNING = {"phase": "Running", "containerStatuses": [{"name": MAIN, "state": {"running": {}}}]}


async def test_the_log_of_a_container_that_is_stopped_is_kept_whatever_its_image(tmp_path: Path) -> None:
    api = given(a_step())
    async with operating(api, tmp_path) as operator:
        api.put("pods", api.pods[pod_of(api, "a")], status=RUNNING)
        await operator.settled()
        api.edit(cancel=True)
        await operator.settled()
        assert api.pods[pod_of(api, "a")]["metadata"]["deletionTimestamp"], "it is told to end, and has not yet"
        await until(lambda: log_of(tmp_path))
        assert log_of(tmp_path) == b"the last words\n"


async def test_so_is_that_of_a_pod_that_somebody_deletes(tmp_path: Path) -> None:
    api = given(a_step())
    async with operating(api, tmp_path) as operator:
        pod = api.put("pods", api.pods[pod_of(api, "a")], status=RUNNING)
        await operator.settled()
        api.put("pods", {**pod, "metadata": {**pod["metadata"], "deletionTimestamp": "2026-11-25T12:00:00Z"}})
        await until(lambda: log_of(tmp_path))


async def test_what_the_agent_has_kept_is_not_kept_once_more(tmp_path: Path) -> None:
    api = given(a_step(agent=True))
    store = store_in(tmp_path)
    async with operating(api, tmp_path) as operator:
        api.put("pods", api.pods[pod_of(api, "a")], status=RUNNING)
        await operator.settled()
        await records.keep_log(store, KEY, said := ArtifactRef("sha256:" + "a" * 64, 3))
        api.edit(cancel=True)
        await operator.settled()
        await until(lambda: operator.last_words.is_idle)
    assert read_log(store, KEY) == said
