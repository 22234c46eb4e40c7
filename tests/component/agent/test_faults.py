"""What the agent lives through: a store or a gateway that is slow, broken, away, or of another mind."""

from __future__ import annotations

import hashlib
import resource
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web
from mlworkflow.core.values import ArtifactRef
from mlworkflow.gateway.app import make_app
from mlworkflow.gateway.runs import OutputSpec
from mlworkflow.store.directory import DirectoryStore
from mlworkflow.store.signing import BlobSigner
from mlworkflow_steps.agent import transfer
from mlworkflow_steps.agent.errors import GatewayRefused, GaveUp, StepFailure, Superseded
from mlworkflow_steps.agent.gateway import Gateway
from mlworkflow_steps.agent.patience import Patience

from tests.component.agent.conftest import Bench
from tests.component.fakes import KEY, a_task, served
from tests.component.scripted import http, scripted
from tests.component.servers import free_port


class FixedGateway(Gateway):
    """A gateway that always names the same URL."""

    def __init__(self, url: str, patience: Patience) -> None:
        super().__init__("http://unused", "/unused", patience)
        self._fixed = url
        self.asked = 0

    def output_place(self, name: str, artifact: dict[str, object]) -> tuple[str, dict[str, str]] | None:
        self.asked += 1
        return self._fixed + "/object?X-Amz-Signature=secret", {"x-amz-checksum-sha256": "signed"}


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        self.said: list[str] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def patience(self, seconds: float = 3600.0) -> Patience:
        return Patience(seconds, sleep=self.sleep, clock=lambda: self.now, chance=lambda: 1.0, say=self.said.append)


DATA = bytes(range(256)) * 1000
REF = {"digest": "sha256:" + hashlib.sha256(DATA).hexdigest(), "size": len(DATA), "type": "file"}
SLOW = http(503, b"<Error><Code>SlowDown</Code><Message>Please reduce</Message></Error>", "Retry-After: 7")
DENIED = http(403, b"<Error><Code>AccessDenied</Code><Message>Access Denied.</Message></Error>")


@pytest.fixture
def clock() -> Clock:
    return Clock()


def fetched(url: str, clock: Clock, target: Path, seconds: float = 3600.0) -> bytes:
    signed = url + "/object?X-Amz-Signature=secret"
    transfer.fetch(transfer.Source("input 'data'", lambda: signed, clock.patience(seconds)), REF, str(target))
    return target.read_bytes()


def test_a_store_that_is_busy_is_asked_again_when_it_said(clock: Clock, tmp_path: Path) -> None:
    with scripted(*[SLOW] * 5, http(200, DATA)) as (url, _):
        assert fetched(url, clock, tmp_path / "x") == DATA
    assert clock.slept == [7.0] * 5
    assert "SlowDown: Please reduce" in clock.said[-1]
    assert "secret" not in "".join(clock.said)


def test_a_broken_download_goes_on_where_it_broke(clock: Clock, tmp_path: Path) -> None:
    def rest(head: str, _: bytes) -> bytes:
        start = int(head.partition("Range: bytes=")[2].partition("-")[0])
        return http(206, DATA[start:])

    with scripted(http(200, DATA[:100_000], length=len(DATA)), b"", b"HTTP/1.1 2", rest) as (url, heads):
        assert fetched(url, clock, tmp_path / "x") == DATA
    assert "Range" not in heads[0]
    assert all("Range: bytes=100000-" in head for head in heads[1:])


def test_a_store_without_ranges_starts_over(clock: Clock, tmp_path: Path) -> None:
    with scripted(http(200, DATA[:5000], length=len(DATA)), http(200, DATA)) as (url, _):
        assert fetched(url, clock, tmp_path / "x") == DATA


def test_wrong_bytes_are_tried_once_more_and_then_refused(clock: Clock, tmp_path: Path) -> None:
    with scripted(http(200, b"x" * len(DATA)), http(200, DATA)) as (url, _):
        assert fetched(url, clock, tmp_path / "x") == DATA
    with scripted(http(200, b"x" * len(DATA)), http(200, b"x")) as (url, _), pytest.raises(StepFailure) as caught:
        fetched(url, clock, tmp_path / "x")
    assert caught.value.reason == "InputInvalid"
    assert list(tmp_path.iterdir()) == []


def test_a_refusal_is_believed_the_third_time_and_quoted(clock: Clock, tmp_path: Path) -> None:
    with scripted(DENIED, DENIED, DENIED) as (url, _), pytest.raises(StepFailure) as caught:
        fetched(url, clock, tmp_path / "x")
    assert (caught.value.reason, str(caught.value)) == (
        "StoreRefused", "input 'data': the store answered 403 (AccessDenied: Access Denied.)"
    )  # fmt: skip


def test_patience_ends(clock: Clock, tmp_path: Path) -> None:
    with pytest.raises(GaveUp):
        fetched(f"http://127.0.0.1:{free_port()}", clock, tmp_path / "x", 100.0)
    assert 80 < clock.now <= 100
    assert max(clock.slept) == 15


def test_an_upload_is_repeated_whole_with_a_fresh_url(clock: Clock, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(DATA)
    bodies: list[bytes] = []

    def take(_: str, body: bytes) -> bytes:
        bodies.append(body)
        return http(200)

    with scripted(SLOW, b"", take) as (url, heads):
        gateway = FixedGateway(url, clock.patience())
        assert transfer.publish(gateway, "model", str(tmp_path / "file")) == REF
    assert bodies == [DATA]
    assert gateway.asked == 3
    assert all(f"Content-Length: {len(DATA)}" in head for head in heads)


def test_an_upload_that_the_store_refuses_for_good(clock: Clock, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(DATA)
    with scripted(DENIED, DENIED, DENIED) as (url, _), pytest.raises(StepFailure, match="AccessDenied") as caught:
        transfer.publish(FixedGateway(url, clock.patience()), "model", str(tmp_path / "file"))
    assert caught.value.reason == "StoreRefused"


def client(url: str, clock: Clock, folder: Path, seconds: float = 3600.0) -> Gateway:
    (folder / "token").write_text("t1\n")
    return Gateway(url, str(folder / "token"), clock.patience(seconds))


def test_a_token_that_was_rotated_is_read_anew(clock: Clock, tmp_path: Path) -> None:
    def refuse(head: str, _: bytes) -> bytes:
        (tmp_path / "token").write_text("t2")
        return http(401, b'{"error": "the token has expired"}')

    with scripted(refuse, http(200, b'{"step": "train"}')) as (url, heads):
        assert client(url, clock, tmp_path).task() == {"step": "train"}
    assert ["Bearer t1" in heads[0], "Bearer t2" in heads[1]] == [True, True]


def test_a_token_that_is_not_there_yet_is_waited_for(clock: Clock, tmp_path: Path) -> None:
    def mounted(_: float) -> None:
        (tmp_path / "token").write_text("t")

    with scripted(http(200, b'{"step": "train"}')) as (url, _):
        assert Gateway(url, str(tmp_path / "token"), Patience(60, sleep=mounted)).task() == {"step": "train"}


@pytest.mark.parametrize(
    "answer", [http(500), http(502, b"<html>"), http(200, b"<html>"), http(200, b"[1]"), b"SSH-2.0\r\n", b""]
)
def test_an_answer_that_makes_no_sense_is_asked_again(clock: Clock, tmp_path: Path, answer: bytes) -> None:
    with scripted(answer, http(429, b'{"error": "slow"}', "Retry-After: 9"), http(200, b"{}")) as (url, _):
        assert client(url, clock, tmp_path).task() == {}
    assert clock.slept[1] == 9.0


@pytest.mark.parametrize(
    ("status", "error"), [(409, Superseded), (403, GatewayRefused), (404, GatewayRefused), (422, GatewayRefused)]
)
def test_a_final_answer_is_final(clock: Clock, tmp_path: Path, status: int, error: type[Exception]) -> None:
    with scripted(http(status, b'{"error": "no"}')) as (url, _), pytest.raises(error, match="no"):
        client(url, clock, tmp_path).task()
    assert clock.slept == []


def test_a_gateway_that_is_away_while_the_step_works_costs_nothing(
    bench: Bench, directory_store: DirectoryStore, signer: BlobSigner
) -> None:
    """The gateway comes back, on the same port, after the step has ended."""
    port = free_port()

    def app() -> web.Application:
        return make_app(runs=bench.runs, store=directory_store, authenticator=bench.tokens, blobs=signer)

    started, ended = bench.folder / "started", bench.folder / "ended"
    script = f"touch {started}; sleep 0.4; echo x > $MLWF_OUT/model; touch {ended}"
    with served(app(), port) as bench.url:
        key, process = bench.start(bench.task(script, outputs={"model": OutputSpec()}))
        _until(started.exists)
    _until(ended.exists)
    time.sleep(0.3)
    assert key not in bench.runs.results
    with served(app(), port):
        _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert bench.get(bench.runs.results[key].outputs["model"]) == b"x\n"


def test_an_artifact_that_was_stored_already_is_not_sent_again(bench: Bench) -> None:
    artifact = bench.put(b"x\n")
    _, result, _, _ = bench.run(bench.task("echo x > $MLWF_OUT/model", outputs={"model": OutputSpec()}))
    assert result.outputs["model"] == artifact


def test_patience_is_a_setting_and_its_end_an_exit_code(bench: Bench) -> None:
    bench.url = f"http://127.0.0.1:{free_port()}"
    _, process = bench.start(a_task(command=["true"], key=KEY), MLWF_PATIENCE="0.2")
    _, err = process.communicate(timeout=20)
    assert process.returncode == 75
    assert "ConnectionRefusedError" in err


def test_memory_stays_flat_in_the_artifact_s_size(bench: Bench) -> None:
    big = bench.put(b"\0" * (96 << 20))
    script = 'cp "$MLWF_IN/big" "$MLWF_OUT/copy"; grep VmHWM /proc/$PPID/status'
    _, result, out, _ = bench.run(bench.task(script, inputs={"big": big}, outputs={"copy": OutputSpec()}))
    assert result.outputs["copy"] == ArtifactRef(big.digest, big.size, "file")
    assert int(out.split()[1]) < 56 << 10


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("size", [1 << 20, 30 << 20], ids=["whole", "in ranges"])
def test_an_input_without_room_fails_the_step_by_its_name(bench: Bench, size: int) -> None:
    table = bench.put(bytes(size))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 18, limits[1]))  # a disk that is full, to the agent
    try:
        key, process = bench.start(bench.task("true", inputs={"table": table}))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    process.communicate(timeout=60)
    result = bench.runs.results[key]
    assert (result.reason, result.message) == ("DiskFull", "input 'table' cannot be written: File too large")
