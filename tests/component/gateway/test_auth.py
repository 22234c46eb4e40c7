"""Tokens: whose they are, and everything that is not a token of ours."""

from __future__ import annotations

from collections.abc import AsyncIterator

import jwt
import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer
from mlworkflow.gateway._auth import ClusterKeys, PodTokens, ReaderTokens
from mlworkflow.gateway.app import make_app
from mlworkflow.gateway.errors import NotReady, Unauthorized
from mlworkflow.gateway.runs import Caller
from mlworkflow.store.directory import DirectoryStore
from mlworkflow.store.layout import cas_key, series_key
from mlworkflow.store.records import ArtifactRef, Record, write_log

from tests.builders import write_record
from tests.component.fakes import KEY, FakeRuns, a_task
from tests.component.tokens import EC, ISSUER, NOW, OTHER, Cluster, token

DIGEST = "sha256:" + "a" * 64


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def keys(cluster: Cluster) -> ClusterKeys:
    return ClusterKeys(cluster.fetch, issuer=ISSUER, clock=lambda: cluster.now)


async def test_a_pod_s_token_says_which_pod(keys: ClusterKeys, cluster: Cluster) -> None:
    caller = await PodTokens(keys).authenticate(token())
    assert caller == Caller(namespace="ml", pod="digits-train-0", pod_uid="pod-uid", service_account="default")
    cluster.keys["k2"] = EC
    cluster.now += 11
    assert (await PodTokens(keys).authenticate(token(EC, "k2", "ES256"))).pod_uid == "pod-uid"


@pytest.mark.parametrize(
    "bad",
    [
        token(aud=["mlworkflow-read"]),
        token(aud=["https://kubernetes.default.svc"]),
        token(aud=None),
        token(exp=NOW - 6),
        token(exp=None),
        token(exp="never"),
        token(nbf=NOW + 60),
        token(iss="https://elsewhere"),
        token(OTHER),
        token(kid="k9"),
        token("a" * 64, algorithm="HS256"),
        jwt.encode({"aud": "mlworkflow", "exp": NOW + 60}, "", algorithm="none", headers={"kid": "k1"}),
        token(of={"namespace": "ml", "serviceaccount": {"name": "default"}}),
        token(of={"namespace": 7}),
        token(of=None),
        "", "x", "a.b.c", "ü.ü.ü", "." * 5000,
    ],
)  # fmt: skip
async def test_what_does_not_convince(keys: ClusterKeys, bad: str) -> None:
    with pytest.raises(Unauthorized) as caught:
        await PodTokens(keys).authenticate(bad)
    assert not bad or len(bad) < 6 or bad not in str(caught.value)


async def test_a_small_leeway_for_clocks(keys: ClusterKeys) -> None:
    await PodTokens(keys).authenticate(token(exp=NOW - 4, nbf=NOW + 4))


async def test_keys_are_asked_for_once_and_again_after_ten_seconds_for_an_unknown_one(
    keys: ClusterKeys, cluster: Cluster
) -> None:
    for _ in range(3):
        await PodTokens(keys).authenticate(token())
    assert cluster.fetched == 1
    cluster.keys["k2"] = OTHER
    for _ in range(5):
        with pytest.raises(Unauthorized):
            await PodTokens(keys).authenticate(token(OTHER, "k2"))
    assert cluster.fetched == 1
    cluster.now += 11
    await PodTokens(keys).authenticate(token(OTHER, "k2"))
    assert cluster.fetched == 2


async def test_a_key_that_was_withdrawn_stops_working(keys: ClusterKeys, cluster: Cluster) -> None:
    await PodTokens(keys).authenticate(token())
    cluster.keys = {"k2": OTHER}
    cluster.now += 301
    with pytest.raises(Unauthorized):
        await PodTokens(keys).authenticate(token())


async def test_a_token_that_was_good_is_good_for_its_audience_its_time_and_its_key_alone(
    keys: ClusterKeys, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified: list[str] = []
    decode = jwt.decode
    monkeypatch.setattr(
        jwt, "decode", lambda text, *args, **options: verified.append(text) or decode(text, *args, **options)
    )
    for _ in range(3):
        assert (await keys.claims(token(), "mlworkflow")).namespace == "ml"
    assert verified == [token()], "its signature is verified once"
    with pytest.raises(Unauthorized, match="InvalidAudienceError"):
        await keys.claims(token(), "mlworkflow-read")
    with pytest.raises(Unauthorized):
        await keys.claims(token()[:-4] + "AAAA", "mlworkflow")
    cluster.now += 301
    assert (await keys.claims(token(exp=NOW + 7200), "mlworkflow")).namespace == "ml"
    cluster.now = NOW + 3700
    with pytest.raises(Unauthorized, match="expired"):
        await keys.claims(token(), "mlworkflow")


async def test_keys_that_cannot_be_had(keys: ClusterKeys, cluster: Cluster) -> None:
    cluster.broken = True
    with pytest.raises(NotReady):
        await PodTokens(keys).authenticate(token())
    cluster.broken = False
    cluster.now += 11
    await PodTokens(keys).authenticate(token())
    cluster.broken = True
    cluster.now += 301
    await PodTokens(keys).authenticate(token(exp=NOW + 3600))


@pytest.fixture
async def session(keys: ClusterKeys, directory_store: DirectoryStore) -> AsyncIterator[ClientSession]:
    runs = FakeRuns()
    runs.add(a_task())
    runs.pods["pod-uid"] = KEY
    app = make_app(runs=runs, store=directory_store, authenticator=PodTokens(keys), readers=ReaderTokens(keys))
    async with TestServer(app) as server, ClientSession(server.make_url("/")) as session:
        yield session


async def status(session: ClientSession, path: str, **headers: str) -> int:
    async with session.get(path, headers=headers) as response:
        return response.status


async def test_a_pod_is_known_by_its_uid_and_its_namespace(session: ClientSession) -> None:
    def bearer(uid: str, namespace: str = "ml") -> dict[str, str]:
        claims = {
            "namespace": namespace,
            "pod": {"name": "digits-train-0", "uid": uid},
            "serviceaccount": {"name": "d"},
        }
        return {"Authorization": f"Bearer {token(of=claims)}"}

    assert await status(session, "/v1/task", **bearer("pod-uid")) == 200
    assert await status(session, "/v1/task", **bearer("another")) == 403
    assert await status(session, "/v1/task", **bearer("pod-uid", "other")) == 403


async def test_people_read_their_own_namespace_with_their_own_kind_of_token(
    session: ClientSession, directory_store: DirectoryStore
) -> None:
    directory_store.write_bytes(cas_key("ml", DIGEST), b"x" * 3_000_000)
    record = Record(workflow="w", step="tune", task="tune/3", attempt=1, kind="tune", exit_code=0)
    write_record(directory_store, KEY._replace(task="tune/3", attempt=1), record)
    reader = {"X-Mlworkflow-Token": token(aud=["mlworkflow-read"])}
    run = f"/v1/read/ml/runs/{KEY.uid}"
    async with session.get(f"/v1/read/ml/artifacts/{DIGEST}", headers=reader) as response:
        assert (response.status, await response.read()) == (200, b"x" * 3_000_000)
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        tag = response.headers["ETag"]
    known, other = {"If-None-Match": f'"x", W/{tag}'}, {"If-None-Match": '"sha256:x"'}
    async with session.get(f"/v1/read/ml/artifacts/{DIGEST}", headers={**reader, **known}) as response:
        assert (response.status, await response.read(), response.headers["ETag"]) == (304, b"", tag)
    assert await status(session, f"/v1/read/ml/artifacts/{DIGEST}", **reader, **other) == 200
    assert await status(session, f"/v1/read/ml/artifacts/{DIGEST}", **known) == 401, (
        "nobody else learns that it is there"
    )
    async with session.get(run, headers=reader) as response:
        assert await response.json() == {"records": [{"task": "tune/3", "attempt": 1}]}
    async with session.get(f"{run}/record?task=tune/3&attempt=1", headers=reader) as response:
        assert (await response.json())["task"] == "tune/3"
    assert await status(session, f"{run}/record?task=tune/3&attempt=2", **reader) == 404
    assert await status(session, f"{run}/record?task=../../../x&attempt=0", **reader) == 422
    assert await status(session, f"{run}/record?task=a&attempt=x", **reader) == 422
    assert await status(session, f"{run}/log?task=train&attempt=0", **reader) == 404
    kept = ArtifactRef(DIGEST, 5, "file")
    write_log(directory_store, KEY, kept)
    async with session.get(f"{run}/log?task=train&attempt=0", headers=reader) as response:
        assert await response.json() == {"digest": DIGEST, "size": 5, "type": "file"}
    assert await status(session, f"{run}/log?task=..%2F..&attempt=0", **reader) == 422
    assert await status(session, f"{run}/series?task=train&attempt=0", **reader) == 404
    directory_store.write_bytes(series_key(*KEY), b'[{"name":"loss","value":0.5,"step":1}]')
    async with session.get(f"{run}/series?task=train&attempt=0", headers=reader) as response:
        assert await response.json() == {"points": [{"name": "loss", "value": 0.5, "step": 1}], "final": True}
    assert await status(session, f"/v1/read/other/runs/{KEY.uid}/log?task=train", **reader) == 403
    assert await status(session, "/v1/read/ml/runs/..%2F..%2Fother", **reader) == 422
    assert await status(session, "/v1/read/ml/artifacts/sha256:" + "b" * 64, **reader) == 404
    assert await status(session, "/v1/read/ml/artifacts/..%2F..", **reader) == 422
    assert await status(session, f"/v1/read/other/artifacts/{DIGEST}", **reader) == 403
    assert await status(session, f"/v1/read/ml/artifacts/{DIGEST}") == 401
    assert await status(session, f"/v1/read/ml/artifacts/{DIGEST}", Authorization=f"Bearer {token()}") == 401
    assert await status(session, f"/v1/read/ml/artifacts/{DIGEST}", **{"X-Mlworkflow-Token": token()}) == 401
    assert await status(session, "/v1/task", Authorization=f"Bearer {token(aud=['mlworkflow-read'])}") == 401
