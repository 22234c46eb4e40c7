"""The API for steps, and every way a hostile or mistaken step might use it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer
from mlworkflow.core.observation import Result
from mlworkflow.core.values import ArtifactRef
from mlworkflow.gateway._auth import LocalTokens
from mlworkflow.gateway.app import make_app
from mlworkflow.gateway.runs import Ended, OutputSpec, Waiting
from mlworkflow.store.directory import DirectoryStore
from mlworkflow.store.errors import KeysRefused, StoreFull, StoreRefused, StoreUnavailable
from mlworkflow.store.layout import cas_key
from mlworkflow.store.signing import BlobSigner

from tests.component.fakes import KEY, FakeRuns, a_task

DATA = b"model bytes"
DIGEST = "sha256:" + hashlib.sha256(DATA).hexdigest()
REF = {"digest": DIGEST, "size": len(DATA), "type": "file"}
OUTPUTS = {
    "model": OutputSpec(),
    "plot": OutputSpec("file", optional=True),
    "accuracy": OutputSpec("number", optional=True),
}


class Step:
    """A step with a token, as a client."""

    def __init__(self, session: ClientSession, token: str) -> None:
        self._session = session
        self._token = token

    async def __call__(self, method: str, path: str, body: Any = None, **options: Any) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        async with self._session.request(method, path, data=data, headers=headers, **options) as response:
            text = await response.read()
            return response.status, json.loads(text) if response.content_type == "application/json" else text


@pytest.fixture
def runs() -> FakeRuns:
    return FakeRuns()


@pytest.fixture
def tokens() -> LocalTokens:
    return LocalTokens()


@pytest.fixture
async def session(
    runs: FakeRuns, tokens: LocalTokens, directory_store: DirectoryStore, signer: BlobSigner
) -> AsyncIterator[ClientSession]:
    app = make_app(runs=runs, store=directory_store, authenticator=tokens, blobs=signer)
    async with TestServer(app) as server, ClientSession(server.make_url("/")) as session:
        yield session


@pytest.fixture
def step(session: ClientSession, runs: FakeRuns, tokens: LocalTokens) -> Step:
    runs.add(a_task(outputs=OUTPUTS, inputs={"train": ArtifactRef(DIGEST, len(DATA), "file")}))
    return Step(session, tokens.issue(KEY))


async def test_a_step_s_life(step: Step, runs: FakeRuns, directory_store: DirectoryStore) -> None:
    status, task = await step("GET", "/v1/task")
    assert (status, task["step"], task["outputs"]["plot"]) == (
        200,
        "train",
        {"type": "file", "optional": True, "keep": "success"},
    )
    assert task["inputs"] == {"train": REF}
    status, place = await step("POST", "/v1/outputs/model", REF)
    assert status == 200
    assert (await step("PUT", place["url"], DATA))[0] == 200
    assert await step("POST", "/v1/outputs/model", REF) == (200, {"exists": True})
    _, place = await step("POST", "/v1/inputs/train", {})
    assert await step("GET", place["url"]) == (200, DATA)
    assert await step("POST", "/v1/metrics", {"metrics": [{"name": "loss", "value": 1}]}) == (
        200,
        {"stop": False, "again": False},
    )
    result = {"exitCode": 0, "outputs": {"model": REF}, "parameters": {"accuracy": 0.9}}
    assert await step("POST", "/v1/commit", result) == (200, {"committed": True})
    assert runs.results[KEY].outputs["model"].digest == DIGEST
    assert directory_store.stat(cas_key("ml", DIGEST)) == len(DATA)
    assert (await step("POST", "/v1/commit", result))[0] == 409
    assert (await step("GET", "/v1/task"))[0] == 409


async def test_what_a_step_waits_for_is_noted_while_it_runs(step: Step, runs: FakeRuns) -> None:
    waiting = {"noun": "upload of 'model'", "words": "refused", "since": 6.5, "left": 21593.5}
    assert await step("POST", "/v1/waiting", {"waiting": waiting}) == (200, {"noted": True})
    assert await step("POST", "/v1/waiting", {"waiting": None}) == (200, {"noted": True})
    assert runs.waits == [Waiting(**waiting), None]  # type: ignore[arg-type]
    for wrong in (
        {"noun": ""},
        {"noun": "x" * 301},
        {"words": "x" * 1001},
        {"since": -1.0},
        {"left": 1e300},
        {"since": None},
    ):
        status, answer = await step("POST", "/v1/waiting", {"waiting": {**waiting, **wrong}})
        assert (status, next(iter(wrong)) in answer["error"]) == (422, True)
    await step("POST", "/v1/commit", {"exitCode": 1})
    assert (await step("POST", "/v1/waiting", {"waiting": waiting}))[0] == 409


async def test_publish_waits_for_the_container(step: Step, runs: FakeRuns) -> None:
    assert await step("GET", "/v1/ended?wait=0.05") == (200, {"ended": False})
    waiting = asyncio.create_task(step("GET", "/v1/ended?wait=10"))
    await asyncio.sleep(0.05)
    runs.ended[KEY] = Ended(137, "OOMKilled")
    assert await waiting == (200, {"ended": True, "exitCode": 137, "reason": "OOMKilled"})


@pytest.mark.parametrize("wait", ["nan", "inf", "-1", "x", "1e9"])
async def test_a_wait_that_is_no_number(step: Step, wait: str) -> None:
    assert (await step("GET", f"/v1/ended?wait={wait}"))[0] == 422


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/inputs/model", {}, 404),
        ("/v1/inputs/..%2F..%2Fother", {}, 404),
        ("/v1/outputs/other", REF, 403),
        ("/v1/outputs/accuracy", REF, 403),
        ("/v1/outputs/..%2Fmodel", REF, 403),
        ("/v1/outputs/model", {**REF, "digest": "sha256:../../../etc"}, 422),
        ("/v1/outputs/model", {**REF, "digest": DIGEST.upper()}, 422),
        ("/v1/outputs/model", {**REF, "digest": DIGEST + "\n"}, 422),
        ("/v1/outputs/model", {**REF, "size": -1}, 422),
        ("/v1/outputs/model", {**REF, "size": 1.5}, 422),
        ("/v1/outputs/model", {**REF, "type": "device"}, 422),
        ("/v1/outputs/plot", {**REF, "type": "directory"}, 422),
        ("/v1/outputs/logs", {**REF, "type": "directory"}, 422),
        ("/v1/outputs/checkpoint", REF, 422),
        ("/v1/outputs/model", {**REF, "type": "collection"}, 422),
        ("/v1/checkpoint", REF, 422),
        ("/v1/checkpoint", {**REF, "type": "directory"}, 422),
        ("/v1/logs", REF, 422),
        ("/v1/logs", {**REF, "type": "directory"}, 422),
        ("/v1/inputs/train/members", {"digests": [DIGEST]}, 403),
        ("/v1/inputs/model/members", {"digests": []}, 404),
        ("/v1/outputs/model", b"{not json", 422),
        ("/v1/outputs/model", b"[" * 100_000, 422),
        ("/v1/metrics", {"metrics": [{"name": "loss", "value": "high"}]}, 422),
        ("/v1/commit", {"outputs": {}}, 422),
        ("/v1/task", {}, 405),
        ("/v2/task", {}, 404),
    ],
)
async def test_what_a_step_may_not_ask(step: Step, runs: FakeRuns, path: str, body: Any, status: int) -> None:
    got, answer = await step("POST", path, body)
    assert got == status, answer
    assert answer["error"]
    assert not runs.results


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ({"exitCode": 0}, "output 'model' is missing"),
        ({"exitCode": 0, "outputs": {"model": REF}}, "output 'model' is not in the store"),
        ({"exitCode": 0, "outputs": {"model": REF, "other": REF}}, "output 'other' is not declared"),
        ({"exitCode": 1, "outputs": {"other": REF}}, "output 'other' is not declared"),
        ({"exitCode": 0, "outputs": {"model": {**REF, "type": "link"}}}, "not link"),
        ({"exitCode": 0, "outputs": {"model": REF, "plot": {**REF, "type": "directory"}}}, "declared as file"),
        ({"exitCode": 0, "outputs": {"accuracy": REF}}, "not declared as an artifact"),
        ({"exitCode": 0, "parameters": {"model": 1}}, "declared as an artifact"),
        ({"exitCode": 1, "logs": REF}, "output 'logs' is not in the store"),
        ({"exitCode": 1, "outputs": {"model": {**REF, "digest": "sha256:x"}}}, "not a digest"),
    ],
)
async def test_a_result_that_is_not_true(step: Step, runs: FakeRuns, result: Any, words: str) -> None:
    status, answer = await step("POST", "/v1/commit", result)
    assert status == 422
    assert words in answer["error"]
    assert not runs.results


async def test_a_size_that_is_not_the_object_s(step: Step, directory_store: DirectoryStore) -> None:
    directory_store.write_bytes(cas_key("ml", DIGEST), DATA)
    status, answer = await step("POST", "/v1/commit", {"exitCode": 0, "outputs": {"model": {**REF, "size": 3}}})
    assert (status, answer["error"]) == (422, "output 'model' has 11 bytes in the store, not 3")


async def test_another_namespace_s_artifact_is_not_there(step: Step, directory_store: DirectoryStore) -> None:
    directory_store.write_bytes(cas_key("other", DIGEST), DATA)
    assert (await step("POST", "/v1/commit", {"exitCode": 0, "outputs": {"model": REF}}))[0] == 422
    assert "url" in (await step("POST", "/v1/outputs/model", REF))[1]


@pytest.mark.parametrize("size", [(4 << 20) + 1, 10 << 20])
async def test_a_body_that_is_too_big(step: Step, size: int) -> None:
    status, answer = await step("POST", "/v1/commit", b" " * size)
    assert (status, answer["error"]) == (
        413,
        "a body, and so a whole result, has at most 4 MiB: make large values artifacts",
    )

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(size >> 10):
            yield b" " * 1025

    async with step._session.post(
        "/v1/metrics", data=chunks(), headers={"Authorization": f"Bearer {step._token}"}
    ) as response:
        assert response.status == 413


async def test_no_token_a_wrong_one_and_one_that_was_revoked(session: ClientSession, tokens: LocalTokens) -> None:
    assert (await Step(session, "")("GET", "/v1/task"))[0] == 401
    assert (await Step(session, "guess")("GET", "/v1/task"))[0] == 401
    token = tokens.issue(KEY)
    tokens.revoke(token)
    assert (await Step(session, token)("GET", "/v1/task"))[0] == 401


async def test_the_api_for_people_is_not_there_for_a_step(step: Step) -> None:
    assert (await step("GET", f"/v1/read/ml/artifacts/{DIGEST}"))[0] == 404


@pytest.mark.parametrize("body", [b"other bytes", DATA + b"x", DATA[:-1], b""])
async def test_a_grant_is_for_exactly_its_bytes(step: Step, directory_store: DirectoryStore, body: bytes) -> None:
    _, place = await step("POST", "/v1/outputs/model", REF)
    status, answer = await step("PUT", place["url"], body)
    assert (status, directory_store.stat(cas_key("ml", DIGEST))) == (403, None), answer


async def test_a_grant_is_for_one_method_and_cannot_be_changed(step: Step, directory_store: DirectoryStore) -> None:
    directory_store.write_bytes(cas_key("ml", DIGEST), DATA)
    _, place = await step("POST", "/v1/inputs/train", {})
    assert (await step("PUT", place["url"], DATA))[0] == 403
    for url in (
        place["url"][:-1] + ("1" if place["url"].endswith("0") else "0"),
        place["url"].replace(".", ".0"),
        "/blob/x",
        "/blob/..%2F..%2Fetc%2Fpasswd",
        "/blob/ü",
    ):
        assert (await step("GET", url))[0] == 403


async def test_a_grant_expires(runs: FakeRuns, tokens: LocalTokens, directory_store: DirectoryStore) -> None:
    now = [1000.0]
    signer = BlobSigner(b"x" * 32, clock=lambda: now[0])
    grant = signer.sign("GET", "ml/x", 60)
    assert signer.verify(grant, "GET").key == "ml/x"
    now[0] += 61
    with pytest.raises(StoreRefused, match="expired"):
        signer.verify(grant, "GET")


class FailingStore(DirectoryStore):
    """A store that cannot sign or look."""

    error: Exception = StoreUnavailable("SlowDown: please")

    def stat(self, key: str) -> int | None:
        raise self.error

    def refresh(self, key: str, before: float) -> int | None:
        raise self.error


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (StoreUnavailable("SlowDown: please"), 503),
        (StoreFull("QuotaExceeded: no room"), 507),
        (StoreRefused("AccessDenied: no"), 403),
        (KeysRefused("SignatureDoesNotMatch: no"), 503),
        (RuntimeError("secret"), 500),
    ],
)
async def test_what_the_store_says_is_passed_on(
    runs: FakeRuns,
    tokens: LocalTokens,
    directory_store: DirectoryStore,
    signer: BlobSigner,
    error: Exception,
    status: int,
) -> None:
    store = FailingStore(directory_store.path("x").parent, signer)
    store.error = error
    runs.add(a_task(outputs=OUTPUTS))
    app = make_app(runs=runs, store=store, authenticator=tokens)
    async with TestServer(app) as server, ClientSession(server.make_url("/")) as session:
        got, answer = await Step(session, tokens.issue(KEY))("POST", "/v1/outputs/model", REF)
    assert got == status
    assert "secret" not in answer["error"]
    assert status == 500 or answer["error"] == str(error)


async def test_no_log_line_holds_a_token_or_a_grant(step: Step, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    _, place = await step("POST", "/v1/outputs/model", REF)
    await step("PUT", place["url"], b"wrong")
    await step("PUT", place["url"], DATA)
    await step("POST", "/v1/commit", {"exitCode": 0})
    await step("POST", "/v1/commit", {"exitCode": 0, "outputs": {"model": REF}})
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("mlworkflow")]
    assert [line.split()[0] for line in lines] == ["refused", "refused", "committed"]
    assert "namespace=ml uid=0b5ad1f0-uid task=train attempt=0" in lines[-1]
    text = "\n".join(lines)
    assert step._token not in text
    assert place["url"].rpartition("/")[2][:20] not in text


async def test_a_checkpoint_is_noted_once_it_is_there_and_read_by_the_next_attempt(
    step: Step, session: ClientSession, runs: FakeRuns, tokens: LocalTokens
) -> None:
    folder = {**REF, "type": "directory"}
    assert (await step("GET", "/v1/checkpoint"))[0] == 404
    assert (await step("POST", "/v1/checkpoint", folder))[0] == 422
    _, place = await step("POST", "/v1/outputs/checkpoint", folder)
    assert (await step("PUT", place["url"], DATA))[0] == 200
    assert (await step("POST", "/v1/checkpoint", {**folder, "size": 1}))[0] == 422
    assert await step("POST", "/v1/checkpoint", folder) == (200, {"saved": True})
    left = ArtifactRef(DIGEST, len(DATA), "directory")
    assert runs.checkpoints[KEY] == [left]
    second = Step(session, tokens.issue(runs.add(a_task(key=KEY._replace(attempt=1), checkpoint=left))))
    assert (await second("GET", "/v1/task"))[1]["checkpoint"] == folder
    _, place = await second("GET", "/v1/checkpoint")
    assert await second("GET", place["url"]) == (200, DATA)
    runs.results[KEY] = Result(exit_code=1)
    assert (await step("POST", "/v1/checkpoint", folder))[0] == 409
    assert (await step("POST", "/v1/outputs/checkpoint", folder))[0] == 200, "bytes by their digest, noted by nobody"


async def test_the_log_of_an_attempt_that_is_over_is_kept(step: Step, runs: FakeRuns) -> None:
    runs.results[KEY] = Result(exit_code=1)
    assert (await step("POST", "/v1/outputs/model", REF))[0] == 409
    _, place = await step("POST", "/v1/outputs/logs", REF)
    assert (await step("PUT", place["url"], DATA))[0] == 200
    assert await step("POST", "/v1/logs", REF) == (200, {"kept": True})
    assert runs.logs == {KEY: ArtifactRef(DIGEST, len(DATA), "file")}
