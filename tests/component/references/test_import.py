"""The `import` step against real servers: HTTP on loopback, MinIO and SeaweedFS."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mlworkflow.store.s3 import S3Store
from mlworkflow_steps.data import remote
from mlworkflow_steps.errors import StepFailure

from tests.component.scripted import http as answer
from tests.component.scripted import scripted
from tests.component.servers import ACCESS_KEY, SECRET_KEY, free_port

DATA = os.urandom(3 << 20)
SHA = hashlib.sha256(DATA).hexdigest()
KEYS = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
ROOT = Path(__file__).parents[3]


class Step:
    """Runs the kind as its agent would, in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, spec: dict[str, Any], **environ: str) -> str:
        """The reason and message of its failure; empty where it succeeded."""
        (self.folder / "run").mkdir(exist_ok=True)
        task = {"workflow": {"name": "w"}, "step": "import", "spec": spec}
        (self.folder / "run/task.json").write_text(json.dumps(task))
        failure = self.folder / "run/failure.json"
        failure.unlink(missing_ok=True)
        ended = subprocess.run(
            [sys.executable, "-m", "mlworkflow_steps", "import"],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "steps"), "MLWF_TASK": str(self.folder / "run/task.json"), **environ},
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert "Traceback" not in ended.stderr, ended.stderr
        assert SECRET_KEY not in ended.stdout + ended.stderr
        if ended.returncode == 0:
            return ""
        said = json.loads(failure.read_text())
        return f"{said['reason']}: {said['message']}"

    @property
    def data(self) -> bytes:
        return (self.folder / "out/data").read_bytes()

    @property
    def said(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in (self.folder / "out/params").iterdir()}


@pytest.fixture
def step(tmp_path: Path) -> Step:
    return Step(tmp_path)


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "web").mkdir()
    (tmp_path / "web/a.bin").write_bytes(DATA)

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given, directory=str(tmp_path / "web"))

        def log_message(self, *given: Any) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_bytes_behind_an_address_and_what_the_server_says_of_them(step: Step, address: str) -> None:
    assert step({"http": f"{address}/a.bin"}) == ""
    assert step.data == DATA
    assert step.said["sha256"] == SHA
    assert step.said["last_modified"].endswith("GMT")
    assert step({"http": f"{address}/a.bin", "sha256": f"sha256:{SHA}"}) == ""


def test_other_bytes_than_declared_are_refused_and_nothing_is_left(step: Step, address: str) -> None:
    said = step({"http": f"{address}/a.bin?token=hush", "sha256": "0" * 64})
    assert (
        said == f"InputInvalid: sha256: {address}/a.bin has {len(DATA)} bytes with sha256:{SHA}, not sha256:{'0' * 64}"
    )
    assert not (step.folder / "out/data").exists()


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"http": "{}/nothing"}, "InputInvalid: http: {}/nothing answered 404"),
        ({"http": "file:///etc/passwd"}, "SpecInvalid: import.http: must begin with http:// or https://"),
        ({"http": "http://me:pw@127.0.0.1/x"}, "SpecInvalid: import.http: holds a user or a password"),
        ({"s3": "bucket/key", "endpoint": "{}"}, "InputInvalid: s3: {}/bucket/key answered 404"),
        ({"s3": "bucket/key", "endpoint": "{}", "secret": "x"}, "InputInvalid: secret: a local run takes AWS_ACCESS_KEY_ID"),
        ({"http": "{}/a.bin", "nope": 1}, "SpecInvalid: import.nope: is no field"),
    ],
)  # fmt: skip
def test_what_will_not_be_there_next_time_either(step: Step, address: str, spec: dict[str, Any], words: str) -> None:
    spec = {name: value.format(address) if isinstance(value, str) else value for name, value in spec.items()}
    assert step(spec).startswith(words.format(address))


def test_trouble_that_may_pass_is_waited_for(tmp_path: Path) -> None:
    waits: list[float] = []
    good = answer(200, b"fine", 'ETag: "1"', "Connection: close")
    half = answer(200, b"half", "Connection: close", length=100)
    with scripted(answer(503, b"", "Connection: close"), half, good) as (url, heads):
        fetched = remote.fetch(url, tmp_path / "x", "http", sleep=waits.append)
    assert ((tmp_path / "x").read_bytes(), fetched.headers["etag"]) == (b"fine", '"1"')
    assert (len(heads), waits) == (3, list(remote.WAITS[:2]))


def test_trouble_that_stays_is_told_without_what_is_secret(tmp_path: Path) -> None:
    with pytest.raises(StepFailure) as failure:
        remote.fetch(f"http://127.0.0.1:{free_port()}/x?sig=hush", tmp_path / "x", "http", sleep=lambda _: None)
    assert failure.value.reason == "SourceUnavailable"
    assert "hush" not in failure.value.message


def test_a_redirect_leads_to_no_file_and_takes_no_signature_along(tmp_path: Path) -> None:
    to_file = answer(302, b"", "Location: file:///etc/passwd", "Connection: close")
    with scripted(to_file) as (url, _), pytest.raises(StepFailure, match="answered 302"):
        remote.fetch(url, tmp_path / "x", "http")
    with scripted(answer(200, b"moved", "Connection: close")) as (target, _):
        moved = answer(302, b"", f"Location: {target}/x", "Connection: close")
        with scripted(moved, moved) as (url, _):
            remote.fetch(url, tmp_path / "x", "http")
            assert (tmp_path / "x").read_bytes() == b"moved"
            with pytest.raises(StepFailure, match="answered 302"):
                remote.fetch(url, tmp_path / "x", "s3", lambda: {"Authorization": "AWS4-HMAC-SHA256"})


def test_an_object_of_a_store_with_a_key(
    step: Step, s3_store: S3Store, endpoints: Callable[[str], str], request: pytest.FixtureRequest
) -> None:
    endpoint = endpoints(request.node.callspec.params["s3_store"])
    s3_store.write_bytes("ml/päth with spaces/a+b.bin", DATA)
    spec = {"s3": "mlworkflow/ml/päth with spaces/a+b.bin", "endpoint": endpoint}
    assert step({**spec, "secret": "keys", "sha256": SHA}, **KEYS) == ""
    assert step.data == DATA
    assert step.said["etag"]
    assert step({**spec, "secret": "keys"}, **{**KEYS, "AWS_SECRET_ACCESS_KEY": "wrong"}).startswith(
        "InputInvalid: s3: " + endpoint
    )
    assert "403" in step(spec, **KEYS), "without a secret nothing is signed, whatever is in the environment"


def test_a_version_of_an_object(
    step: Step, s3_stores: Callable[[str], S3Store], endpoints: Callable[[str], str]
) -> None:
    from minio import Minio
    from minio.commonconfig import ENABLED
    from minio.versioningconfig import VersioningConfig

    endpoint = endpoints("minio")
    client = Minio(endpoint.removeprefix("http://"), ACCESS_KEY, SECRET_KEY, secure=False)
    client.make_bucket("versioned")
    client.set_bucket_versioning("versioned", VersioningConfig(ENABLED))
    kept = []
    for text in (b"one", b"two"):
        path = step.folder / "up"
        path.write_bytes(text)
        kept.append(str(client.fput_object("versioned", "x", str(path)).version_id))
    spec = {"s3": "versioned/x", "endpoint": endpoint, "secret": "keys"}
    assert (step(spec, **KEYS), step.data, step.said["version"]) == ("", b"two", kept[1])
    assert (step({**spec, "version": kept[0]}, **KEYS), step.data) == ("", b"one")
    assert "InputInvalid" in step({**spec, "version": "00000000-0000-0000-0000-000000000000"}, **KEYS)
