"""Artifacts in parts, and what a hostile step might do with them: what it lies about spoils nobody's work but its own."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import urllib3
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer
from mlworkflow.gateway._auth import LocalTokens
from mlworkflow.gateway.app import make_app
from mlworkflow.gateway.runs import OutputSpec
from mlworkflow.store.directory import DirectoryStore
from mlworkflow.store.layout import AttemptKey, cas_key, uploads_prefix
from mlworkflow.store.s3 import S3Store
from mlworkflow.store.signing import BlobSigner

from tests.component.fakes import FakeRuns, a_task

PART = 5 << 20
GOOD = [b"good" * (PART // 4), b"more" * (PART // 4), b"end"]
EVIL = [b"evil" * (PART // 4), b"more" * (PART // 4), b"end"]


def sha(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


DATA = b"".join(GOOD)
REF = {"digest": sha(DATA), "size": len(DATA), "type": "file"}


def plan(parts: list[bytes], **changes: Any) -> dict[str, Any]:
    """What is said of an artifact, which may be a lie."""
    return {**REF, "partSize": PART, "digests": [sha(part) for part in parts], **changes}


class Step:
    """A task's attempt, as a client."""

    def __init__(self, session: ClientSession, token: str) -> None:
        self._session = session
        self._token = token

    async def __call__(self, path: str, body: Any) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self._token}"}
        async with self._session.post(path, json=body, headers=headers) as response:
            return response.status, json.loads(await response.read())

    async def begin(self, parts: list[bytes]) -> dict[str, Any]:
        status, begun = await self("/v1/outputs/model/parts", plan(parts))
        assert status == 200, begun
        return begun  # type: ignore[no-any-return]

    async def send(self, begun: dict[str, Any], parts: list[bytes], numbers: list[int]) -> list[int]:
        """Sends some parts; the store's answers."""
        wanted = {**REF, "upload": begun["upload"], "numbers": numbers}
        status, answer = await self("/v1/outputs/model/parts/urls", wanted)
        assert status == 200, answer
        return [put(place, parts[n - 1]) for n, place in zip(numbers, answer["parts"], strict=True)]

    async def complete(self, begun: dict[str, Any]) -> tuple[int, Any]:
        return await self("/v1/outputs/model/parts/complete", {**REF, "upload": begun["upload"]})

    async def store(self, parts: list[bytes]) -> None:
        begun = await self.begin(parts)
        if "exists" not in begun:
            assert await self.send(begun, parts, [1, 2, 3]) == [200] * 3
            assert await self.complete(begun) == (200, {"stored": True})

    async def commit(self) -> tuple[int, Any]:
        return await self("/v1/commit", {"exitCode": 0, "outputs": {"model": REF}})


def put(place: dict[str, Any], body: bytes, **headers: str) -> int:
    return urllib3.request(
        "PUT", place["url"], body=body, headers={**place["headers"], **headers}, retries=False
    ).status


@pytest.fixture
def namespace() -> str:
    return f"ns-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def at(namespace: str) -> str:
    return cas_key(namespace, sha(DATA))


Join = Callable[..., Step]


@pytest.fixture
async def join(s3_store: S3Store, namespace: str) -> AsyncIterator[Join]:
    """A new attempt of a task."""
    runs, tokens = FakeRuns(), LocalTokens()
    app = make_app(runs=runs, store=s3_store, authenticator=tokens)
    async with TestServer(app) as server, ClientSession(server.make_url("/")) as session:

        def join(task: str, attempt: int = 0) -> Step:
            key = AttemptKey(namespace, "uid-1", task, attempt)
            runs.add(a_task(key=key, outputs={"model": OutputSpec()}))
            return Step(session, tokens.issue(key))

        yield join


async def test_an_artifact_in_parts(join: Join, s3_store: S3Store, namespace: str, at: str) -> None:
    step = join("train")
    begun = await step.begin(GOOD)
    assert begun["there"] == []
    assert await step.send(begun, GOOD, [3, 1]) == [200, 200]
    again = await join("train", 1).begin(GOOD)
    assert again == {"upload": begun["upload"], "there": [1, 3]}
    assert (await step.complete(begun))[0] == 404, "a part is missing"
    assert await step.send(begun, GOOD, [2]) == [200]
    assert await step.complete(begun) == (200, {"stored": True})
    assert await step.complete(begun) == (200, {"stored": True}), "the first answer may have been lost"
    assert s3_store.read_bytes(at) == DATA
    assert list(s3_store.list(uploads_prefix(namespace))) == []
    assert await step("/v1/outputs/model", REF) == (200, {"exists": True})
    assert await step.begin(GOOD) == {"exists": True}
    assert await step.commit() == (200, {"committed": True})


async def test_a_part_s_url_takes_its_bytes_alone(join: Join, s3_store: S3Store) -> None:
    step = join("train")
    begun = await step.begin(GOOD)
    s3_store.write_bytes("other/runs/uid/step/0.json", b"another tenant's")
    copy = {"x-amz-copy-source": "/mlworkflow/other/runs/uid/step/0.json"}
    status, answer = await step("/v1/outputs/model/parts/urls", {**REF, "upload": begun["upload"], "numbers": [1, 2]})
    first, second = answer["parts"]
    assert status == 200
    for attack in (
        put(first, EVIL[0]),
        put(first, GOOD[0][:-1]),
        put(first, b""),
        put(first, GOOD[0], **copy),
        put(first, b"", **copy),
        put({**first, "url": first["url"].replace("partNumber=1", "partNumber=3")}, GOOD[0]),
        put({**first, "url": first["url"].replace("/cas/", "/runs/")}, GOOD[0]),
        put({**second, "url": second["url"].replace("uploadId=", "uploadId=x")}, GOOD[1]),
    ):
        assert attack in (400, 403)
    assert (await step.begin(GOOD))["there"] == []


async def test_a_lie_is_the_liar_s_own(join: Join, s3_store: S3Store, at: str) -> None:
    """Nobody else hears that it is there, and the honest bytes take its place."""
    liar, honest = join("liar"), join("honest")
    await liar.store(EVIL)
    assert s3_store.read_bytes(at) != DATA
    assert await liar("/v1/outputs/model", REF) == (200, {"exists": True}), (
        "every reader of what it commits will notice"
    )
    assert "url" in (await honest("/v1/outputs/model", REF))[1]
    assert s3_store.stat(at) is None
    await honest.store(GOOD)
    assert s3_store.read_bytes(at) == DATA
    assert (await liar.commit())[0] == 200
    assert await honest.commit() == (200, {"committed": True})


async def test_a_lie_cannot_replace_what_is_there(join: Join, s3_store: S3Store, at: str) -> None:
    liar, honest = join("liar"), join("honest")
    begun = await liar.begin(EVIL)
    assert await liar.send(begun, EVIL, [1, 2, 3]) == [200] * 3
    await honest.store(GOOD)
    assert await liar.complete(begun) == (200, {"stored": True})
    assert s3_store.read_bytes(at) == DATA
    assert s3_store.in_parts is not None
    assert list(s3_store.in_parts.begun(at)) == []


async def test_a_lie_that_came_first_is_replaced_by_what_is_true(join: Join, s3_store: S3Store, at: str) -> None:
    liar, honest = join("liar"), join("honest")
    begun = await honest.begin(GOOD)
    assert await honest.send(begun, GOOD, [1, 2, 3]) == [200] * 3
    await liar.store(EVIL)
    assert await honest.complete(begun) == (200, {"stored": True})
    assert s3_store.read_bytes(at) == DATA


async def test_a_commit_that_builds_upon_another_task_s_lie_hears_what_is_missing(join: Join) -> None:
    await join("liar").store(EVIL)
    status, answer = await join("honest").commit()
    assert (status, answer["missing"]) == (422, ["model"])


async def test_what_another_task_stored_is_verified_once_and_kept(join: Join, s3_store: S3Store, at: str) -> None:
    await join("train").store(GOOD)
    assert s3_store.in_parts is not None
    assert s3_store.in_parts.word(at) == "uid-1/train"
    assert await join("train", 1)("/v1/outputs/model", REF) == (200, {"exists": True})
    assert s3_store.in_parts.word(at) == "uid-1/train"
    assert s3_store.refresh(at, s3_store.now() + 5) == len(DATA)
    assert s3_store.in_parts.word(at) == "uid-1/train", "what is told to be there is not therefore true"
    assert await join("other")("/v1/outputs/model", REF) == (200, {"exists": True})
    assert s3_store.in_parts.word(at) == ""
    assert s3_store.read_bytes(at) == DATA


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("parts", plan(GOOD, partSize=PART - 1), 422),
        ("parts", plan(GOOD, digests=[]), 422),
        ("parts", plan(GOOD[:2]), 422),
        ("parts", plan([*GOOD, b"x"]), 422),
        ("parts", plan(GOOD, digests=["sha256:x"] * 3), 422),
        ("parts", plan(GOOD, digests=[sha(b"")] * 10_001, size=10_001 * PART), 422),
        ("parts", plan(GOOD, size=-1, digests=[sha(b"")]), 422),
        ("parts", plan(GOOD, digest="sha256:../../x"), 422),
        ("parts", plan(GOOD, type="collection"), 422),
        ("parts/urls", {**REF, "upload": sha(b"none"), "numbers": [1]}, 404),
        ("parts/urls", {**REF, "upload": "../x", "numbers": [1]}, 422),
        ("parts/urls", {**REF, "upload": sha(b"none"), "numbers": [1] * 201}, 422),
        ("parts/complete", {**REF, "upload": sha(b"none")}, 404),
    ],
)
async def test_what_is_not_as_the_contract_says(join: Join, path: str, body: Any, status: int) -> None:
    step = join("train")
    assert (await step(f"/v1/outputs/model/{path}", body))[0] == status
    assert (await step(f"/v1/outputs/other/{path}", body))[0] in (403, 422)


@pytest.mark.parametrize("number", [0, -1, 4])
async def test_a_part_that_there_is_not(join: Join, number: int) -> None:
    step = join("train")
    begun = await step.begin(GOOD)
    wanted = {**REF, "upload": begun["upload"], "numbers": [number]}
    assert (await step("/v1/outputs/model/parts/urls", wanted))[0] == 422


async def test_what_an_attempt_left_may_come_in_parts_too(join: Join, s3_store: S3Store, at: str) -> None:
    step = join("train")
    _, begun = await step("/v1/left/trace/parts", plan(GOOD))
    wanted = {**REF, "upload": begun["upload"], "numbers": [1, 2, 3]}
    _, answer = await step("/v1/left/trace/parts/urls", wanted)
    assert [put(place, part) for place, part in zip(answer["parts"], GOOD, strict=True)] == [200] * 3
    assert await step("/v1/left/trace/parts/complete", wanted) == (200, {"stored": True})
    assert s3_store.read_bytes(at) == DATA


async def test_a_store_that_takes_artifacts_whole_only(directory_store: DirectoryStore, signer: BlobSigner) -> None:
    runs, tokens = FakeRuns(), LocalTokens()
    key = AttemptKey("ml", "uid-1", "train", 0)
    runs.add(a_task(key=key, outputs={"model": OutputSpec()}))
    app = make_app(runs=runs, store=directory_store, authenticator=tokens, blobs=signer)
    async with TestServer(app) as server, ClientSession(server.make_url("/")) as session:
        step = Step(session, tokens.issue(key))
        assert (await step("/v1/outputs/model/parts", plan(GOOD)))[0] == 404
