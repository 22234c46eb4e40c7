"""Too many calls: an agent waits as it is told and loses nothing, and one Pod's flood is no other's trouble."""

from __future__ import annotations

import asyncio
import itertools
import logging
from pathlib import Path

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer
from mlworkflow.core.collection import Member, encode
from mlworkflow.core.values import ArtifactRef
from mlworkflow.gateway._auth import ClusterKeys, LocalTokens, PodTokens
from mlworkflow.gateway._rates import Rates
from mlworkflow.gateway.app import make_app
from mlworkflow.store.directory import DirectoryStore
from mlworkflow.store.signing import BlobSigner

from tests.component.agent.conftest import Bench
from tests.component.fakes import KEY, FakeRuns, a_task, served
from tests.component.tokens import NOW, Cluster, of_pod, token


def collected(bench: Bench, *members: ArtifactRef) -> ArtifactRef:
    stored = bench.put(encode([Member(member, n, "Succeeded") for n, member in enumerate(members)]))
    return ArtifactRef(stored.digest, stored.size, "collection")


def test_an_agent_that_is_told_to_wait_waits(
    directory_store: DirectoryStore, signer: BlobSigner, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Collections in a collection need a call each: of all that an agent does, the most calls in a second."""
    runs, tokens, ticks = FakeRuns(), LocalTokens(), itertools.count()
    rates = Rates(5, 6, clock=lambda: next(ticks) / 10)  # by the calls, not by a machine that may be slow
    app = make_app(runs=runs, store=directory_store, authenticator=tokens, blobs=signer, rates=rates)
    with served(app) as url:
        bench = Bench(url, runs, directory_store, tokens, tmp_path)
        inner = [collected(bench, bench.put(str(number).encode())) for number in range(12)]
        code, result, _, err = bench.run(bench.task("true", inputs={"models": collected(bench, *inner)}))
    assert (code, result.message) == (0, ""), err
    assert "status=429" in caplog.text
    assert (tmp_path / "root/in/models/0011/0000").read_bytes() == b"11"


async def test_a_flood_is_its_own_pod_s(directory_store: DirectoryStore, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    runs = FakeRuns()
    runs.pods["flood"] = runs.add(a_task())
    runs.pods["other"] = runs.add(a_task(key=KEY._replace(task="other")))
    keys = ClusterKeys(Cluster().fetch, clock=lambda: NOW)
    app = make_app(
        runs=runs,
        store=directory_store,
        authenticator=PodTokens(keys),
        rates=Rates(1, 20, clock=asyncio.get_running_loop().time),
    )
    async with TestServer(app) as server, ClientSession(server.make_url("/")) as session:

        async def ask(pod: str) -> tuple[int, str | None]:
            headers = {"Authorization": f"Bearer {token(of=of_pod(pod, pod))}"}
            async with session.get("/v1/task", headers=headers) as response:
                return response.status, response.headers.get("Retry-After")

        answers = [await ask("flood") for _ in range(60)]
        assert {status for status, _ in answers} == {200, 429}
        assert 20 <= [status for status, _ in answers].count(200) <= 30
        assert answers[-1] == (429, "1")
        assert await ask("other") == (200, None)
    lines = [record.getMessage() for record in caplog.records if "status=429" in record.getMessage()]
    assert len(lines) < 10, "a flood of calls is no flood of lines"
    assert "caller=ml/flood" in lines[0]
