"""The operator's garbage collection: what exists is asked of the API server, and running workflows lose nothing."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
from pathlib import Path

import pytest
from mlworkflow.core.observation import Result
from mlworkflow.core.values import ArtifactRef
from mlworkflow.kube.client import KubeClient
from mlworkflow.kube.errors import ApiError
from mlworkflow.kube.garbage import GarbageCollector
from mlworkflow.store.directory import DirectoryStore
from mlworkflow.store.garbage import DAY, Retention
from mlworkflow.store.layout import AttemptKey, cas_key
from mlworkflow.store.records import Record
from mlworkflow.store.signing import BlobSigner

from tests.builders import a_workflow, write_record
from tests.component.kube.fake_api import until

from .cluster import given, refused

RETENTION = Retention(runs=10 * DAY)


class World:
    """A store whose time a test moves, an API server with the workflow ``uid-1``, and the collector."""

    def __init__(self, folder: Path) -> None:
        self.now = 1_700_000_000.0
        self.store = DirectoryStore(folder / "store", BlobSigner(b"x" * 32), lambda: self.now)
        self.api = given(a_workflow().step("a"))

    def run(self, uid: str, namespace: str = "default") -> ArtifactRef:
        """A record of a run, and its artifact."""
        data = os.urandom(8)
        artifact = ArtifactRef("sha256:" + hashlib.sha256(data).hexdigest(), len(data))
        self.store.write_bytes(cas_key(namespace, artifact.digest), data)
        result = Result(0, outputs={"o": artifact})
        record = Record(
            exit_code=0, outputs=result.outputs, workflow="w", step="a", task="a", attempt=0, kind="container"
        )
        write_record(self.store, AttemptKey(namespace, uid, "a", 0), record)
        return artifact

    def has(self, artifact: ArtifactRef, namespace: str = "default") -> bool:
        return self.store.stat(cas_key(namespace, artifact.digest)) is not None


async def test_a_run_that_exists_keeps_everything_and_one_that_is_gone_has_its_time(tmp_path: Path) -> None:
    world = World(tmp_path)
    live, gone = world.run("uid-1"), world.run("uid-2")
    async with world.api.served() as config, KubeClient(config) as client:
        collector = GarbageCollector(client, world.store, (), RETENTION)
        for days in (400, 9, 2):
            world.now += days * DAY
            assert world.has(gone)
            await collector.collect_all()
        assert (world.has(live), world.has(gone)) == (True, False)
        world.api.remove("mlworkflows", "w")
        for days in (1, 11):
            world.now += days * DAY
            await collector.collect_all()
        assert not world.has(live)


async def test_without_the_api_server_s_word_nothing_is_removed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(tmp_path)
    garbage = world.run("uid-2")
    world.store.delete("default/runs/uid-2/a/0.json")
    world.now += 400 * DAY
    world.api.on("list mlworkflows", refused(403, "Forbidden"))
    async with world.api.served() as config, KubeClient(config) as client:
        collector = GarbageCollector(client, world.store, ["default"], RETENTION)
        with caplog.at_level(logging.WARNING):
            await collector.collect_all()
        assert "is not collected now" in caplog.text
        assert world.has(garbage)
        world.api.on("list mlworkflows", refused(403, "Forbidden"))
        with pytest.raises(ApiError):
            await collector.collect("default", dry_run=True)
        assert (await collector.collect("default", dry_run=True)).objects == 1
        assert world.has(garbage)
        await collector.collect_all()
        assert not world.has(garbage)


async def test_it_is_done_again_and_again_and_never_two_at_once(tmp_path: Path) -> None:
    world = World(tmp_path)
    at_work, most = 0, 0

    class Counting(GarbageCollector):
        def _collect(self, *args: object) -> object:  # type: ignore[override]
            nonlocal at_work, most
            at_work += 1
            most = max(most, at_work)
            try:
                return super()._collect(*args)  # type: ignore[arg-type]
            finally:
                at_work -= 1

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await asyncio.sleep(0.01)

    waits: list[float] = []
    async with world.api.served() as config, KubeClient(config) as client:
        collector = Counting(client, world.store, ["a", "b"], RETENTION)
        running = asyncio.create_task(collector.run(3600.0, sleep))
        await asyncio.gather(*(collector.collect("a", dry_run=True) for _ in range(5)))
        await until(lambda: len(waits) > 3)
        running.cancel()
    assert (most, waits[:3]) == (1, [600.0, 3600.0, 3600.0])
