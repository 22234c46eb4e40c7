"""A test that acts as a hostile step: everything it tries beyond its own inputs and outputs is refused, and each refusal is a line in the log
that says who, what and why, and holds no secret.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from mlworkflow.core.values import ArtifactRef
from mlworkflow.gateway._auth import ClusterKeys, PodTokens, ReaderTokens
from mlworkflow.gateway.app import make_app, make_runner
from mlworkflow.gateway.runs import OutputSpec
from mlworkflow.store._protocol import ArtifactStore
from mlworkflow.store.directory import DirectoryStore
from mlworkflow.store.layout import cas_key
from mlworkflow.store.signing import BlobSigner

from tests.component.fakes import KEY, FakeRuns, a_task
from tests.component.tokens import ISSUER, NOW, OTHER, Cluster, of_pod, token

MINE, SECRET = b"my own bytes", b"another run's bytes"
MIB = 1 << 20
CUT = 0
"""Instead of a status: the connection was cut, and the answer with it."""


def ref(data: bytes) -> dict[str, Any]:
    return {"digest": "sha256:" + hashlib.sha256(data).hexdigest(), "size": len(data), "type": "file"}


def artifact(data: bytes) -> ArtifactRef:
    return ArtifactRef(**ref(data))


def victim() -> Any:
    """A step of another run, of another namespace, with an input of its own."""
    return a_task(
        key=KEY._replace(namespace="other", uid="other-uid"),
        inputs={"secret": artifact(SECRET)},
        outputs={"secret": OutputSpec()},
    )


class Hostile:
    """A step that says whatever it likes, byte for byte."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.token = token(of=of_pod("evil-0", "evil-uid"))
        self.sent = 0

    async def __call__(
        self, method: str, target: str, body: Any = b"", *headers: str, bearer: str | None = None, chunks: int = 0
    ) -> tuple[int, bytes]:
        """The status and the body. With `chunks`, a body of this many MiB follows, chunk by chunk, until an answer comes."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        if not any(line.lower().startswith(("content-length", "transfer-encoding")) for line in headers):
            headers = (*headers, f"Content-Length: {len(data)}")
        shown = self.token if bearer is None else bearer
        lines = [f"{method} {target} HTTP/1.1", "Host: gateway", "Connection: close", *headers]
        lines += [f"Authorization: Bearer {shown}"] if shown else []
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=64 * MIB)
        try:
            writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + data)
            pouring = asyncio.create_task(self._pour(writer, chunks, "chunked" in str(headers).lower()))
            answer = b""
            with suppress(ConnectionError):  # whoever sends on while it is refused may lose the end of the answer
                while chunk := await asyncio.wait_for(reader.read(MIB), 20):
                    pouring.cancel()
                    answer += chunk
            head, _, content = answer.partition(b"\r\n\r\n")
            return int(head.split()[1]) if head else CUT, content
        finally:
            writer.transport.abort()

    async def _pour(self, writer: asyncio.StreamWriter, count: int, chunked: bool) -> None:
        piece = b" " * MIB
        with suppress(ConnectionError):
            for _ in range(count):
                writer.write(b"100000\r\n" + piece + b"\r\n" if chunked else piece)
                self.sent += MIB
                await writer.drain()


@pytest.fixture
def runs() -> FakeRuns:
    runs = FakeRuns()
    inputs, outputs = {"mine": artifact(MINE)}, {"model": OutputSpec(), "score": OutputSpec("number")}
    runs.pods["evil-uid"] = runs.add(a_task(inputs=inputs, outputs=outputs))
    runs.pods["victim-uid"] = runs.add(victim())
    return runs


@pytest.fixture
async def hostile(store: ArtifactStore, runs: FakeRuns, signer: BlobSigner) -> AsyncIterator[Hostile]:
    for namespace, data in {"ml": MINE, "other": SECRET}.items():
        await asyncio.to_thread(store.write_bytes, cas_key(namespace, ref(data)["digest"]), data)
    keys = ClusterKeys(Cluster().fetch, issuer=ISSUER, clock=lambda: NOW)
    blobs = signer if isinstance(store, DirectoryStore) else None
    app = make_app(
        runs=runs, store=store, authenticator=PodTokens(keys), readers=ReaderTokens(keys), blobs=blobs, body_seconds=0.5
    )
    runner = make_runner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield Hostile(runner.addresses[0][1])
    await runner.cleanup()


@pytest.fixture(autouse=True)
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG)
    return caplog


def audited(caplog: pytest.LogCaptureFixture, *secrets: str) -> list[str]:
    """The refusals in the log; no line of whatever logger holds a secret, whole or in its parts."""
    text = "\n".join(caplog.handler.format(record) for record in caplog.records)
    for secret in secrets:
        for part in [secret, *secret.split(".")]:
            assert len(part) < 20 or part not in text
    assert "Traceback" not in text
    messages = [record.getMessage() for record in caplog.records if record.name == "mlworkflow.gateway"]
    return [line for line in messages if line.startswith("refused")]


FOREIGN = [
    # what another step has, by name and by digest
    ("POST", "/v1/inputs/secret", {}, 404, "the step has no input of this name"),
    ("POST", "/v1/inputs/mine/members", {"digests": [ref(SECRET)["digest"]]}, 403, "which has no members"),
    ("POST", "/v1/outputs/secret", ref(MINE), 403, "declares no artifact"),
    ("POST", "/v1/outputs/score", ref(MINE), 403, "declares no artifact"),
    ("POST", "/v1/commit", {"exitCode": 0, "outputs": {"model": ref(SECRET)}, "parameters": {"score": 1}}, 422, "not in the store"),
    ("POST", "/v1/commit", {"exitCode": 0, "outputs": {"secret": ref(MINE)}}, 422, "not declared"),
    ("POST", "/v1/checkpoint", {**ref(SECRET), "type": "directory"}, 422, "not in the store"),
    ("POST", "/v1/left", {"outputs": {"../x": ref(MINE)}}, 422, "no artifact of a step"),
    # what people may, and steps may not
    ("GET", f"/v1/read/other/artifacts/{ref(SECRET)['digest']}", b"", 401, "a token is missing"),
    ("GET", f"/v1/read/ml/runs/{KEY.uid}", b"", 401, "a token is missing"),
    ("GET", "/v1/read/ml/garbage", b"", 401, "a token is missing"),
    # lists, of whatever
    ("GET", "/v1/inputs", b"", 404, "Not Found"),
    ("GET", "/v1/inputs/", b"", 404, "Not Found"),
    ("GET", "/v1/outputs/", b"", 404, "Not Found"),
    ("GET", "/v1/read/ml/runs/", b"", 404, "Not Found"),
    ("GET", "/v1/", b"", 404, "Not Found"),
    ("PROPFIND", "/v1/task", b"", 405, "Method Not Allowed"),
    ("DELETE", "/v1/outputs/model", b"", 405, "Method Not Allowed"),
    ("PUT", "/v1/outputs/model", b"", 405, "Method Not Allowed"),
    # paths that would lead elsewhere
    ("POST", "/v1/inputs/..", {}, (404, 405), ""),
    ("POST", "/v1/inputs/../outputs/secret", ref(MINE), (403, 404), ""),
    ("POST", "/v1/inputs/%2e%2e%2f%2e%2e%2fother", {}, 404, "no input"),
    ("POST", "/v1/inputs/..%2f..%2fother%2fcas", {}, 404, "no input"),
    ("POST", "/v1/inputs/%252e%252e%252fsecret", {}, 404, "no input"),
    ("POST", "/v1/inputs//secret", {}, 404, "Not Found"),
    ("POST", "//v1/inputs/mine", {}, 404, "Not Found"),
    ("POST", "/v1/./inputs/secret", {}, 404, ""),
    ("POST", "/v1/inputs/mine%00", {}, 404, "no input"),
    ("POST", "/v1/inputs/mine\x00", {}, 400, "no HTTP"),
    ("POST", "/v1/inputs/%EF%BD%8Dine", {}, 404, "no input"),
    ("POST", "/v1/inputs/mi%CC%80ne", {}, 404, "no input"),
    ("POST", "/v1/inputs/%ff%fe", {}, (400, 404), ""),
    ("POST", "/v1/inputs/mine%0d%0aX-Evil:%201", {}, 404, "no input"),
    ("POST", "/v1/outputs/..%5c..%5cmodel", ref(MINE), 403, "declares no artifact"),
    ("POST", "/v1/outputs/model", {**ref(MINE), "digest": "sha256:../../other"}, 422, "digest"),
    ("POST", "/v1/outputs/model", {**ref(MINE), "digest": "sha256:" + "A" * 64}, 422, "digest"),
    ("GET", "/blob/..%2f..%2fother", b"", (403, 404), ""),
    ("GET", "http://elsewhere/v1/task/secret", b"", 404, "Not Found"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "target", "body", "status", "why"), FOREIGN)
async def test_what_is_not_its_own_is_refused(
    hostile: Hostile, runs: FakeRuns, lines: Any, method: str, target: str, body: Any, status: Any, why: str
) -> None:
    got, answer = await hostile(method, target, body)
    assert got in (status if isinstance(status, tuple) else (status,)), answer
    assert not runs.results
    assert b"http" not in answer.replace(b"no HTTP", b"")
    (line,) = audited(lines, hostile.token)
    assert f"status={got} " in line
    assert why in line
    assert "peer=127.0.0.1" in line
    assert "\n" not in line
    if "no input" in why or "declares" in why:
        assert "caller=ml/evil-0" in line


NOBODY = {
    "no token": "",
    "nonsense": "nonsense",
    "of another audience": token(of=of_pod("evil-0", "evil-uid"), aud=["https://kubernetes.default.svc"]),
    "a reader's": token(of=of_pod("evil-0", "evil-uid"), aud=["mlworkflow-read"]),
    "expired": token(of=of_pod("evil-0", "evil-uid"), exp=NOW - 60),
    "not yet": token(of=of_pod("evil-0", "evil-uid"), nbf=NOW + 60),
    "of another cluster": token(OTHER, of=of_pod("evil-0", "evil-uid")),
    "of another issuer": token(of=of_pod("evil-0", "evil-uid"), iss="https://elsewhere"),
    "of no Pod": token(of={"namespace": "ml", "serviceaccount": {"name": "default"}}),
    "self-made": token("a" * 64, algorithm="HS256", of=of_pod("evil-0", "evil-uid")),
}
STRANGERS = {
    "of a Pod that is gone": token(of=of_pod("evil-0", "the-uid-before")),
    "of a Pod that is no step": token(of=of_pod("web-0", "web-uid")),
    "of its Pod, in another namespace": token(of=of_pod("evil-0", "evil-uid", "other")),
    "of another's Pod, in its own namespace": token(of=of_pod("victim-0", "victim-uid", "ml")),
}


@pytest.mark.parametrize("store", ["directory"], indirect=True)
@pytest.mark.parametrize(
    ("bearer", "status"), [(each, 401) for each in NOBODY.values()] + [(each, 403) for each in STRANGERS.values()],
    ids=[*NOBODY, *STRANGERS],
)  # fmt: skip
async def test_a_token_that_is_not_that_of_a_live_pod_of_ours(
    hostile: Hostile, lines: Any, bearer: str, status: int
) -> None:
    for method, target in (("GET", "/v1/task"), ("POST", "/v1/inputs/mine"), ("POST", "/v1/outputs/model"), ("POST", "/v1/commit")):  # fmt: skip
        assert (await hostile(method, target, bearer=bearer))[0] == status
    found = audited(lines, bearer)
    assert [f"status={status} " in line for line in found] == [True] * 4
    assert ["caller=-" in line for line in found] == [status == 401] * 4, (
        "a name is logged once the cluster vouches for it"
    )


@pytest.mark.parametrize("store", ["directory"], indirect=True)
async def test_a_token_is_checked_anew_in_every_call(hostile: Hostile, runs: FakeRuns) -> None:
    assert (await hostile("GET", "/v1/task"))[0] == 200
    del runs.pods["evil-uid"]
    assert (await hostile("GET", "/v1/task"))[0] == 403


def _peak() -> int:
    """The most memory that this process has had since the last call, in bytes."""
    peak = int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) << 10  # type: ignore[index]
    Path("/proc/self/clear_refs").write_text("5")
    return peak


@pytest.mark.parametrize(
    "size", ["Content-Length: 10737418240", "Transfer-Encoding: chunked"], ids=["declared", "chunked"]
)
@pytest.mark.parametrize(
    ("method", "target", "status"),
    [("POST", "/v1/commit", 413), ("POST", "/v1/outputs/model", 413), ("POST", "/v1/inputs/secret", 404)],
)
async def test_ten_gigabytes_are_refused_early(
    hostile: Hostile, lines: Any, size: str, method: str, target: str, status: int
) -> None:
    _peak()
    before = _peak()
    assert (await hostile(method, target, b"", size, chunks=10 << 10))[0] == status
    assert hostile.sent < 64 * MIB
    assert _peak() - before < 64 * MIB
    assert [f"status={status}" in line for line in audited(lines, hostile.token)] == [True]


@pytest.mark.parametrize("store", ["directory"], indirect=True)
async def test_ten_gigabytes_for_a_grant_of_a_few_bytes(hostile: Hostile, store: ArtifactStore, lines: Any) -> None:
    place = store.sign_put(cas_key("ml", ref(b"few")["digest"]), ref(b"few")["digest"], 3, 60)
    for size in ("Content-Length: 10737418240", "Transfer-Encoding: chunked"):
        assert (await hostile("PUT", place.url, b"", size, chunks=10 << 10))[0] == 403
    assert hostile.sent < 64 * MIB
    assert store.stat(cas_key("ml", ref(b"few")["digest"])) is None
    assert len(audited(lines, place.url.rpartition("/")[2])) == 2


@pytest.mark.parametrize("store", ["directory"], indirect=True)
async def test_a_body_that_never_comes(hostile: Hostile, lines: Any) -> None:
    for target in ("/v1/commit", "/v1/metrics"):
        assert (await hostile("POST", target, b"{", "Content-Length: 100"))[0] == 408
    assert ["did not arrive in time" in line for line in audited(lines, hostile.token)] == [True] * 2
    assert (await hostile("GET", "/v1/task"))[0] == 200


@pytest.mark.parametrize("store", ["directory"], indirect=True)
@pytest.mark.parametrize(
    "header",
    ["X-Huge: " + "x" * (64 << 10), "Cookie: " + "y" * (1 << 20), "X-Bad\x00Name: 1", "no colon"],
    ids=["64 KiB", "1 MiB", "null byte", "no colon"],
)
async def test_headers_that_are_too_much(hostile: Hostile, lines: Any, header: str) -> None:
    assert (await hostile("GET", "/v1/task", b"", header))[0] in (400, CUT)
    assert (await hostile("GET", "/v1/task", b"", bearer=hostile.token * 50))[0] == 400
    assert ["status=400" in line and "no HTTP" in line for line in audited(lines, hostile.token)] == [True] * 2


@pytest.mark.parametrize("store", ["directory"], indirect=True)
async def test_a_grant_of_the_directory_store_is_for_one_thing(
    hostile: Hostile, store: DirectoryStore, lines: Any
) -> None:
    mine = cas_key("ml", ref(MINE)["digest"])
    read, write = store.sign_get(mine, 60), store.sign_put(mine, ref(MINE)["digest"], len(MINE), 60).url
    expired = BlobSigner(b"0123456789abcdef0123456789abcdef", clock=lambda: NOW - 10_000).sign("GET", mine, 60)
    body, _, mac = read.partition(".")
    other = BlobSigner(b"another secret of more than 32 bytes").sign("GET", cas_key("other", ref(SECRET)["digest"]), 60)
    for method, url in [
        ("PUT", read), ("DELETE", read), ("POST", read), ("GET", write), ("DELETE", write), ("GET", f"/blob/{expired}"),
        ("GET", f"/blob/{other}"), ("GET", f"{body}.{mac[::-1]}"), ("GET", f"{body}A.{mac}"), ("GET", f"{read}/.."),
        ("GET", f"{read}%00"), ("GET", "/blob/"), ("GET", "/blob"),
    ]:  # fmt: skip
        assert (await hostile(method, url, MINE if method == "PUT" else b""))[0] in (403, 404, 405), url
    assert (await hostile("GET", read))[1] == MINE
    assert len(audited(lines, read.rpartition("/")[2], write.rpartition("/")[2], expired, other)) == 13


@pytest.mark.parametrize("said", [b"", b"GET /v1/task HTTP/1.1\r\nHost: x\r\nX-Slow: ", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"], ids=["nothing", "half a head", "one request"])  # fmt: skip
async def test_a_connection_that_says_nothing_more_is_closed(said: bytes) -> None:
    app = web.Application()
    runner = make_runner(app, shutdown_timeout=0.1, idle=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    reader, writer = await asyncio.open_connection("127.0.0.1", runner.addresses[0][1])
    writer.write(said)
    async with asyncio.timeout(60):
        while await reader.read(1 << 16):
            pass  # an answer, where there was a request
    writer.close()
    await runner.cleanup()
