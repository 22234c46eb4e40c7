"""Models by name, in every kind of store, and by the gateway: of those who race for an alias one wins, and the others are told."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer
from mlworkflow.core.values import ArtifactRef
from mlworkflow.gateway.app import make_app
from mlworkflow.store import models
from mlworkflow.store._protocol import ArtifactStore
from mlworkflow.store.errors import InvalidKey, StoreRefused
from mlworkflow.store.garbage import Known, Retention, collect
from mlworkflow.store.layout import AttemptKey, cas_key, move_key
from mlworkflow.store.model_log import Move
from mlworkflow.store.models import AliasMoved, Candidate, Wish
from mlworkflow.store.records import Record

from tests.builders import write_record
from tests.component.references.test_datasets import Person, Tokens

RACERS = 16


@pytest.fixture
def namespace(request: pytest.FixtureRequest) -> str:
    """One for each test: the servers are shared."""
    return f"ns-{hashlib.sha256(request.node.name.encode()).hexdigest()[:8]}"


def kept(store: ArtifactStore, namespace: str, data: bytes) -> ArtifactRef:
    artifact = ArtifactRef(f"sha256:{hashlib.sha256(data).hexdigest()}", len(data), "file")
    store.write_bytes(cas_key(namespace, artifact.digest), data)
    return artifact


def candidate(store: ArtifactStore, namespace: str, data: bytes) -> Candidate:
    return Candidate(kept(store, namespace, data), None)


def wish(id_: str, alias: str = "champion", **more: str) -> Wish:
    return Wish(alias=alias, by=f"user-{id_}", id=id_, **more)


def at_once(count: int, work: Callable[[int], Move]) -> list[Move | AliasMoved]:
    """What becomes of each of some that begin at the same moment."""
    gate = threading.Barrier(count)

    def one(number: int) -> Move | AliasMoved:
        gate.wait()
        try:
            return work(number)
        except AliasMoved as moved:
            return moved

    with ThreadPoolExecutor(count) as racers:
        return list(racers.map(one, range(count)))


def test_of_many_that_expect_the_same_one_wins_and_the_others_are_told_who(
    store: ArtifactStore, namespace: str
) -> None:
    found = [candidate(store, namespace, b"%d" % number) for number in range(RACERS)]
    models.promote(store, namespace, "m", candidate(store, namespace, b"first"), wish("first"))
    ends = at_once(
        RACERS, lambda number: models.promote(store, namespace, "m", found[number], wish(str(number), expect="1"))
    )
    (won,) = [end for end in ends if isinstance(end, Move)]
    told = [str(end) for end in ends if isinstance(end, AliasMoved)]
    assert len(told) == RACERS - 1
    assert {f"{won.by} moved it there" in words for words in told} == {True}
    model = models.read(store, namespace, "m")
    assert (model.aliases, [move.number for move in model.moves]) == ({"champion": 2}, [1, 2])
    assert won == model.moves[1]


def test_of_many_that_expect_nothing_each_that_overlaps_another_is_told(store: ArtifactStore, namespace: str) -> None:
    found = [candidate(store, namespace, b"%d" % number) for number in range(RACERS)]
    ends = at_once(RACERS, lambda number: models.promote(store, namespace, "m", found[number], wish(str(number))))
    model = models.read(store, namespace, "m")
    won = [end for end in ends if isinstance(end, Move)]
    assert sorted(won, key=lambda move: move.number) == model.moves
    assert [move.number for move in model.moves] == list(range(1, len(won) + 1))
    assert [move.previous for move in model.moves] == list(range(len(won)))


def test_each_number_is_won_once_by_those_who_move_different_aliases(store: ArtifactStore, namespace: str) -> None:
    found = candidate(store, namespace, b"one")
    ends = at_once(
        RACERS, lambda number: models.promote(store, namespace, "m", found, wish(str(number), alias=f"a{number}"))
    )
    numbers = Counter(end.number for end in ends if isinstance(end, Move))
    assert numbers == Counter(range(1, RACERS + 1))
    assert models.read(store, namespace, "m").aliases == {f"a{number}": 1 for number in range(RACERS)}


def test_what_is_asked_for_again_is_not_done_again(store: ArtifactStore, namespace: str) -> None:
    one, two = (candidate(store, namespace, data) for data in (b"one", b"two"))
    first = models.promote(store, namespace, "m", one, wish("1"))
    models.promote(store, namespace, "m", two, wish("2"))
    assert models.promote(store, namespace, "m", one, wish("1")) == first
    assert at_once(4, lambda _: models.promote(store, namespace, "m", two, wish("3", expect="7")))[0].id == "2"  # type: ignore[union-attr]
    assert models.read(store, namespace, "m").aliases == {"champion": 2}


def test_a_rollback_goes_back_as_far_as_it_is_asked_to(store: ArtifactStore, namespace: str) -> None:
    for data in (b"1", b"2", b"3"):
        models.promote(store, namespace, "m", candidate(store, namespace, data), wish(data.decode()))
    moves = [models.rollback(store, namespace, "m", wish(f"back-{time}", message="bad")) for time in range(2)]
    assert [(move.version, move.previous, move.rollback) for move in moves] == [(2, 3, True), (1, 2, True)]
    with pytest.raises(models.NoModel, match="the alias 'champion' of 'm' has meant nothing before version 1"):
        models.rollback(store, namespace, "m", wish("back-3"))
    with pytest.raises(models.NoModel, match="has no alias 'best'; it has the aliases 'champion' \\(1\\)"):
        models.rollback(store, namespace, "m", wish("back-4", alias="best"))


def test_garbage_collection_keeps_every_version(store: ArtifactStore, namespace: str) -> None:
    for data in (b"1", b"2"):
        models.promote(store, namespace, "m", candidate(store, namespace, data), wish(data.decode()))
    other = kept(store, namespace, b"garbage")
    for foreign in ("notes/x.json", "No Model/y.json"):
        store.write_bytes(f"{namespace}/models/{foreign}", b"{}")
    assert models.names(store, namespace) == ["m"]
    collect(store, namespace, Known((), ()), Retention(grace=-1000))
    assert [models.find(store, namespace, "m", text).number for text in ("1", "champion")] == [1, 2]
    assert store.stat(cas_key(namespace, other.digest)) is None


def test_what_cannot_be_relied_upon_is_not(store: ArtifactStore, namespace: str) -> None:
    one = candidate(store, namespace, b"1")
    for number in range(3):
        models.promote(store, namespace, "m", one, wish(str(number), alias=f"a{number}"))
    store.delete(move_key(namespace, "m", 2))
    with pytest.raises(StoreRefused, match=r"moves/000002\.json is missing"):
        models.find(store, namespace, "m", "a0")
    store.write_bytes(move_key(namespace, "m", 2), b"{}")
    with pytest.raises(StoreRefused, match=r"moves/000002\.json cannot be read"):
        models.find(store, namespace, "m", "a0")
    with pytest.raises(InvalidKey):
        models.find(store, namespace, "../x", "a0")
    store.delete(cas_key(namespace, one.artifact.digest))
    with pytest.raises(models.ModelGone, match="is not in the store any more"):
        models.promote(store, namespace, "other", one, wish("x"))


@pytest.fixture
async def person(store: ArtifactStore, namespace: str) -> AsyncIterator[Person]:
    app = make_app(runs=None, store=store, authenticator=None, readers=Tokens())  # type: ignore[arg-type]
    async with TestServer(app) as server, ClientSession(server.make_url("/")) as session:
        yield Person(session, namespace)


def trained(store: ArtifactStore, namespace: str, uid: str, data: bytes) -> ArtifactRef:
    """What a step of a run has left."""
    model = kept(store, namespace, data)
    record = Record(0, workflow="w", step="train", task="train", attempt=0, kind="train", outputs={"model": model},
                    parameters={"cv_accuracy": 0.75})  # fmt: skip
    write_record(store, AttemptKey(namespace, uid, "train", 0), record)
    return model


async def test_a_person_promotes_a_model_of_a_run_and_rolls_it_back(
    person: Person, store: ArtifactStore, namespace: str
) -> None:
    at, read = "/v1/write/{}/models/m", "/v1/read/{}/models"
    digests = [trained(store, namespace, f"uid-{number}", b"model %d" % number).digest for number in (1, 2)]

    async def moves(id_: str, **asked: Any) -> tuple[int, Any]:
        return await person("PUT", at, json.dumps({"alias": "champion", "by": "bob", "id": id_ * 16, **asked}))

    assert (await person("GET", f"{read}/m"))[0] == 404
    for number, digest in enumerate(digests, start=1):
        status, move = await moves(str(number), run=f"uid-{number}", digest=digest, message="good")
        assert (status, move["version"], move["by"], move["message"]) == (200, number, "bob", "good")
        assert move["metrics"] == {"train.cv_accuracy": 0.75}
    status, refused = await moves("3", version="1", expect="1")
    assert (status, refused["error"]) == (
        409,
        f"the alias 'champion' of 'm' means version 2 ({digests[1]}), not 1: bob moved it there: good",
    )
    assert (await moves("4", rollback=True))[1]["version"] == 1
    assert (await moves("5", version="2", alias="challenger"))[1]["version"] == 2
    (listed,) = (await person("GET", read))[1]["models"]
    assert listed == (await person("GET", f"{read}/m"))[1]
    assert (listed["aliases"], len(listed["moves"])) == ({"champion": 1, "challenger": 2}, 4)


async def test_what_is_wrong_with_what_a_person_asks_for_is_said(
    person: Person, store: ArtifactStore, namespace: str
) -> None:
    good = {"alias": "champion", "by": "bob", "id": "1" * 16}
    data = kept(store, namespace, b"data")
    for asked, words in (
        ({}, "name either a model of a run, or a version"),
        ({"version": "1", "rollback": True}, "name either a model of a run, or a version"),
        ({"version": "1"}, "there is no model 'm'"),
        ({"run": "uid", "digest": data.digest}, "is no model: no step of the run"),
        ({"version": "1", "expect": "best"}, "'best': what is expected is any, none"),
        ({"version": "1", "alias": "3"}, "$.alias"),
        ({"version": "1", "message": "x" * 1025}, "$.message"),
        ({"version": "1", "more": "x"}, "more"),
    ):
        status, refused = await person("PUT", "/v1/write/{}/models/m", json.dumps({**good, **asked}))
        assert (status, words in refused["error"]) == (422, True), refused
    status, _ = await person("PUT", "/v1/write/{}/models/m", json.dumps(good), token=f"read:{namespace}")
    assert status == 401
    status, _ = await person("PUT", "/v1/write/{}/models/m", json.dumps(good), token="write:other")
    assert status == 403
