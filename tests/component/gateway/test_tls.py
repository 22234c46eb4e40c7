"""TLS all the way, with an authority that only we know: the agent, the gateway, and a real MinIO."""

from __future__ import annotations

import logging
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlworkflow.core.errors import UsageError
from mlworkflow.gateway._auth import LocalTokens
from mlworkflow.gateway._tls import Certificate
from mlworkflow.gateway.app import make_app
from mlworkflow.gateway.runs import OutputSpec
from mlworkflow.kube.authorities import LARGEST, Authorities
from mlworkflow.store.credentials import FixedKeys
from mlworkflow.store.errors import StoreError
from mlworkflow.store.s3 import S3Settings, S3Store

from tests.component.agent.conftest import Bench
from tests.component.certificates import Authority
from tests.component.fakes import FakeRuns, served
from tests.component.servers import ACCESS_KEY, SECRET_KEY, checked, minio


def store_at(endpoint: str, authority: Path | None) -> S3Store:
    keys = FixedKeys(ACCESS_KEY, SECRET_KEY)
    return S3Store(
        S3Settings(
            endpoint=endpoint, bucket="tls", keys=keys, create_bucket=True, ca_file=str(authority) if authority else None
        )
    )  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A folder with the authorities of the gateway (`gateway.pem`) and of the store (`store.pem`), and the store's endpoint."""
    folder = tmp_path_factory.mktemp("tls")
    for name, files in {"gateway": ("tls.crt", "tls.key"), "store": ("public.crt", "private.key")}.items():
        authority = Authority(f"the authority of the {name}")
        authority.issue(folder / name, files=files)
        (folder / f"{name}.pem").write_text(authority.pem)
    (folder / "minio").mkdir()
    with minio(folder / "minio", folder / "store") as endpoint:
        yield folder, endpoint


@pytest.fixture
def bench(place: tuple[Path, str], tmp_path: Path) -> Iterator[Bench]:
    folder, endpoint = place
    store = checked(store_at(endpoint, folder / "store.pem"))
    runs, tokens = FakeRuns(), LocalTokens()
    certificate = Certificate(folder / "gateway")
    app = make_app(runs=runs, store=store, authenticator=tokens)
    with served(app, tls=certificate.context) as url:
        yield Bench(url, runs, store, tokens, tmp_path)


def test_with_the_right_authorities_everything_works(bench: Bench, place: tuple[Path, str]) -> None:
    authorities = Authorities([place[0] / "gateway.pem", place[0] / "store.pem"])
    task = bench.task(
        "cp $MLWF_IN/data $MLWF_OUT/copy", inputs={"data": bench.put(b"x" * 3_000_000)}, outputs={"copy": OutputSpec()}
    )
    code, result, _, err = bench.run(task, MLWF_CA=authorities())
    assert code == 0, err
    assert bench.get(result.outputs["copy"]) == b"x" * 3_000_000


@pytest.mark.parametrize("trusted", ["nobody", "another authority", "the store's alone"])
def test_with_the_wrong_authority_the_agent_waits_and_says_so(
    bench: Bench, place: tuple[Path, str], trusted: str
) -> None:
    known = {
        "nobody": "",
        "another authority": Authority().pem,
        "the store's alone": (place[0] / "store.pem").read_text(),
    }
    started = time.monotonic()
    key, process = bench.start(bench.task("true"), MLWF_PATIENCE="4", MLWF_CA=known[trusted])
    _, err = process.communicate(timeout=60)
    assert process.returncode == 75, "its patience is over"
    assert "CERTIFICATE_VERIFY_FAILED" in err
    assert time.monotonic() - started > 2, "it waited"
    assert bench.token_file.read_text() not in err
    assert key not in bench.runs.results


def test_with_the_gateway_s_authority_alone_the_step_waits_for_the_store(bench: Bench, place: tuple[Path, str]) -> None:
    task = bench.task("true", inputs={"data": bench.put(b"y" * 100)})
    _, process = bench.start(task, MLWF_PATIENCE="4", MLWF_CA=(place[0] / "gateway.pem").read_text())
    _, err = process.communicate(timeout=60)
    assert process.returncode == 75
    assert "CERTIFICATE_VERIFY_FAILED" in err
    assert "X-Amz" not in err


def test_the_operator_refuses_a_store_that_it_cannot_trust(place: tuple[Path, str]) -> None:
    with pytest.raises(StoreError, match="CERTIFICATE_VERIFY_FAILED"):
        store_at(place[1], place[0] / "gateway.pem").stat("a/b")


def test_the_agent_without_tls_does_not_import_it() -> None:
    words = "import sys, mlworkflow_steps.agent.run; print('ssl' in sys.modules)"
    steps = str(Path(__file__).parents[3] / "steps")
    environ = {**os.environ, "PYTHONPATH": steps, "MLWF_CA": Authority().pem}
    done = subprocess.run([sys.executable, "-c", words], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def shown(port: int, authority: str) -> str:
    """The certificate that a server shows to who trusts this authority."""
    context = ssl.create_default_context(cadata=authority)
    with (
        socket.create_connection(("127.0.0.1", port), 10) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secured,
    ):
        der = secured.getpeercert(binary_form=True)
    assert der is not None
    return ssl.DER_cert_to_PEM_cert(der)


def test_a_renewed_certificate_is_shown_without_a_restart(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    authority = Authority()
    first = authority.issue(tmp_path)
    certificate = Certificate(tmp_path)
    app = make_app(runs=FakeRuns(), store=None, authenticator=LocalTokens())  # type: ignore[arg-type]
    with served(app, tls=certificate.context) as url:
        port = int(url.rpartition(":")[2])
        assert shown(port, authority.pem) == first
        assert not certificate.refresh()
        second = authority.issue(tmp_path)
        assert shown(port, authority.pem) == first, "nobody has looked yet"
        assert certificate.refresh()
        assert shown(port, authority.pem) == second
        key = (tmp_path / "tls.key").read_text()
        Authority().issue(tmp_path)
        (tmp_path / "tls.key").write_text(key)
        assert not certificate.refresh(), "a pair that does not fit"
        assert shown(port, authority.pem) == second
        (tmp_path / "tls.crt").unlink()
        assert not certificate.refresh()
        assert shown(port, authority.pem) == second
        third = authority.issue(tmp_path)
        assert certificate.refresh()
        assert shown(port, authority.pem) == third
    assert "gateway certificate=renewed" in caplog.text
    assert "gateway certificate=kept" in caplog.text
    assert "PRIVATE KEY" not in caplog.text


def test_a_certificate_that_cannot_be_used_is_said_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no certificate to serve with"):
        Certificate(tmp_path)
    Authority().issue(tmp_path)
    (tmp_path / "tls.key").write_text("nonsense")
    with pytest.raises(UsageError, match="has no certificate to serve with"):
        Certificate(tmp_path)


def test_authorities_are_read_anew_and_bounded(tmp_path: Path) -> None:
    one, other = Authority().pem, Authority().pem
    file = tmp_path / "ca.crt"
    file.write_text(one)
    authorities = Authorities([file])
    assert authorities().count("BEGIN CERTIFICATE") == 1
    file.write_text(one + other)
    assert authorities().count("BEGIN CERTIFICATE") == 2
    known = authorities()
    for wrong in ("", "PRIVATE", one * (LARGEST // len(one) + 1)):
        file.write_text(wrong)
        assert authorities() == known
        with pytest.raises(UsageError):
            Authorities([file])
    assert Authorities([])() == ""
    with pytest.raises(UsageError, match="cannot be read"):
        Authorities([tmp_path / "none"])
