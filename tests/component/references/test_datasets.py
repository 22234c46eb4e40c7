"""Named datasets, in every kind of store, and by the gateway."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from mlworkflow.core.values import ArtifactRef
from mlworkflow.gateway._auth import Reader
from mlworkflow.gateway._datasets import Datasets
from mlworkflow.gateway._json import errors_as_answers
from mlworkflow.gateway.app import make_app
from mlworkflow.gateway.errors import Unauthorized
from mlworkflow.store import datasets
from mlworkflow.store._protocol import ArtifactStore
from mlworkflow.store.errors import InvalidKey, StoreRefused
from mlworkflow.store.garbage import Known, Retention, collect
from mlworkflow.store.layout import cas_key

ONE, TWO = b"x" * (3 << 20), b"two"


def reference(data: bytes) -> ArtifactRef:
    return ArtifactRef(f"sha256:{hashlib.sha256(data).hexdigest()}", len(data), "file")


def kept(store: ArtifactStore, namespace: str, data: bytes) -> ArtifactRef:
    artifact = reference(data)
    store.write(cas_key(namespace, artifact.digest), artifact.digest, artifact.size, iter([data[:7], data[7:]]))
    return artifact


@pytest.fixture
def namespace(request: pytest.FixtureRequest) -> str:
    """One for each test: the servers are shared."""
    return f"ns-{hashlib.sha256(request.node.name.encode()).hexdigest()[:8]}"


def test_the_newest_version_is_the_one_that_was_added_last(store: ArtifactStore, namespace: str) -> None:
    one, two = kept(store, namespace, ONE), kept(store, namespace, TWO)
    for artifact in (one, two):
        datasets.add(store, namespace, "bikes", artifact, "test")
    assert datasets.find(store, namespace, "bikes").artifact == two
    assert datasets.find(store, namespace, "bikes", one.digest).artifact == one
    datasets.add(store, namespace, "bikes", one, "again")
    assert [version.digest for version in datasets.versions(store, namespace, "bikes")] == [one.digest, two.digest]
    assert [version.name for version in datasets.newest(store, namespace)] == ["bikes"]
    assert datasets.newest(store, f"{namespace}-other") == []


def test_what_is_not_there_is_told_with_what_is(store: ArtifactStore, namespace: str) -> None:
    with pytest.raises(datasets.NoDataset, match=r"there is no dataset 'bikes' in the namespace .*none yet"):
        datasets.find(store, namespace, "bikes")
    one = kept(store, namespace, ONE)
    datasets.add(store, namespace, "bikes", one, "")
    with pytest.raises(datasets.NoDataset, match=rf"has no version {reference(TWO).digest}.*{one.digest}"):
        datasets.find(store, namespace, "bikes", reference(TWO).digest)
    with pytest.raises(datasets.NoDataset, match="there are: bikes"):
        datasets.find(store, namespace, "cars")
    with pytest.raises(datasets.NoDataset, match="is not in the store"):
        datasets.add(store, namespace, "bikes", reference(TWO), "")
    with pytest.raises(InvalidKey):
        datasets.find(store, namespace, "../x")
    store.delete(cas_key(namespace, one.digest))
    with pytest.raises(datasets.NoDataset, match="not in the store any more"):
        datasets.find(store, namespace, "bikes")


def test_a_store_takes_no_other_bytes_than_were_announced(store: ArtifactStore, namespace: str) -> None:
    wanted = reference(ONE)
    with pytest.raises(StoreRefused):
        store.write(cas_key(namespace, wanted.digest), wanted.digest, wanted.size, iter([b"y" * len(ONE)]))
    assert store.stat(cas_key(namespace, wanted.digest)) is None


def test_garbage_collection_keeps_every_version(store: ArtifactStore, namespace: str) -> None:
    one, two, other = (kept(store, namespace, data) for data in (ONE, TWO, b"garbage"))
    for artifact in (one, two):
        datasets.add(store, namespace, "bikes", artifact, "")
    collect(store, namespace, Known((), ()), Retention(grace=-1000))
    left = [store.stat(cas_key(namespace, artifact.digest)) for artifact in (one, two, other)]
    assert left == [len(ONE), len(TWO), None]


class Tokens:
    """Tokens are ``read:<namespace>`` and ``write:<namespace>``."""

    async def reader(self, token: str) -> Reader:
        return self._known(token, "read")

    async def writer(self, token: str) -> Reader:
        return self._known(token, "write")

    async def purger(self, token: str) -> Reader:
        return self._known(token, "purge")

    def _known(self, token: str, verb: str) -> Reader:
        known, _, namespace = token.partition(":")
        if known != verb:
            raise Unauthorized("no such token")
        return Reader(namespace, "default")


class Person:
    """A client of the gateway with a token for `verb` and a namespace."""

    def __init__(self, session: ClientSession, namespace: str) -> None:
        self._session, self.namespace = session, namespace

    async def __call__(
        self, method: str, path: str, body: Any = None, token: str = "", **options: Any
    ) -> tuple[int, Any]:
        verb = path.split("/")[2]
        headers = {"X-Mlworkflow-Token": token or f"{verb}:{self.namespace}"}
        async with self._session.request(
            method, path.format(self.namespace), data=body, headers=headers, **options
        ) as answer:
            return answer.status, json.loads(await answer.read())


@pytest.fixture
async def person(store: ArtifactStore, namespace: str) -> AsyncIterator[Person]:
    app = make_app(runs=None, store=store, authenticator=None, readers=Tokens())  # type: ignore[arg-type]
    async with TestServer(app) as server, ClientSession(server.make_url("/")) as session:
        yield Person(session, namespace)


async def test_a_person_adds_a_dataset_and_finds_it_again(person: Person) -> None:
    one = reference(ONE)
    document = json.dumps({"digest": one.digest, "size": one.size, "type": "file", "source": "here"})
    assert (await person("PUT", "/v1/write/{}/datasets/bikes", document))[0] == 422, "its bytes are not there yet"
    upload = f"/v1/write/{{}}/artifacts/{one.digest}?size={one.size}"
    assert await person("PUT", upload, ONE) == (200, {"exists": False})
    assert await person("PUT", upload, ONE) == (200, {"exists": True})
    status, added = await person("PUT", "/v1/write/{}/datasets/bikes", document)
    assert (status, added["digest"], added["source"]) == (200, one.digest, "here")
    assert await person("GET", "/v1/read/{}/datasets") == (200, {"datasets": [added]})
    assert await person("GET", "/v1/read/{}/datasets/bikes") == (200, {"versions": [added]})
    assert (await person("GET", "/v1/read/{}/datasets/cars"))[0] == 404


async def test_a_version_is_removed_by_who_may_and_by_its_digest(person: Person) -> None:
    one = reference(ONE)
    await person("PUT", f"/v1/write/{{}}/artifacts/{one.digest}?size={one.size}", ONE)
    await person(
        "PUT", "/v1/write/{}/datasets/bikes", json.dumps({"digest": one.digest, "size": one.size, "type": "file"})
    )
    path, purge = f"/v1/read/{{}}/datasets/bikes?digest={one.digest}", f"purge:{person.namespace}"
    assert (await person("DELETE", path))[0] == 401, "to read is not to remove"
    assert (await person("DELETE", path, token="purge:elsewhere"))[0] == 403
    assert (await person("DELETE", "/v1/read/{}/datasets/bikes", token=purge))[0] == 422
    status, removed = await person("DELETE", path, token=purge)
    assert (status, removed["digest"]) == (200, one.digest)
    assert (await person("DELETE", path, token=purge))[0] == 404
    assert await person("GET", "/v1/read/{}/datasets") == (200, {"datasets": []})


async def test_who_may_read_may_not_write_and_nobody_writes_elsewhere(person: Person) -> None:
    upload = f"/v1/write/{{}}/artifacts/{reference(TWO).digest}?size=3"
    assert (await person("PUT", upload, TWO, token=f"read:{person.namespace}"))[0] == 401
    assert (await person("PUT", upload, TWO, token="write:elsewhere"))[0] == 403
    assert (await person("GET", "/v1/read/{}/datasets", token=f"write:{person.namespace}"))[0] == 401


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("artifacts/sha256:12?size=3", TWO, 422),
        (f"artifacts/{reference(TWO).digest}", TWO, 422),
        (f"artifacts/{reference(TWO).digest}?size=4", TWO, 422),
        (f"artifacts/{reference(b'tow').digest}?size=3", TWO, 403),
        (f"artifacts/{reference(TWO).digest}?size={6 << 30}", None, 413),
        ("datasets/Bikes", json.dumps({"digest": reference(TWO).digest, "size": 3, "type": "file"}), 422),
        ("datasets/bikes", json.dumps({"digest": "x", "size": 3, "type": "file"}), 422),
        ("datasets/bikes", json.dumps({"digest": reference(TWO).digest, "size": 3, "type": "socket"}), 422),
        ("datasets/bikes", "{}", 422),
    ],
)
async def test_what_is_wrong_is_refused(person: Person, path: str, body: Any, status: int) -> None:
    if status == 413:

        async def pieces() -> AsyncIterator[bytes]:
            yield b"x"

        body = pieces()
    said, answer = await person("PUT", f"/v1/write/{{}}/{path}", body)
    assert said in (status, 400) if status == 403 else said == status
    assert answer["error"]


async def test_an_upload_that_falls_silent_is_given_up(store: ArtifactStore, namespace: str) -> None:
    never = asyncio.Event()
    app = web.Application(middlewares=[errors_as_answers])
    app.add_routes(Datasets(store, Tokens(), silence=0.2).routes())

    async def stalls() -> AsyncIterator[bytes]:
        yield b"x"
        await never.wait()

    upload = f"/v1/write/{{}}/artifacts/{reference(TWO).digest}?size=3"
    async with TestServer(app) as server, ClientSession(server.make_url("/")) as session:
        said, answer = await Person(session, namespace)("PUT", upload, stalls())
    assert (said, answer["error"]) == (408, "no byte came for 0 s")
