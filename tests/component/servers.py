"""Real object-store servers on free loopback ports, for as long as a `with` block lasts."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from mlworkflow.store.errors import StoreUnavailable
from mlworkflow.store.s3 import S3Store

from tests.node.families import FAMILIES, build
from tests.node.families import program as program_of
from tests.node.pypi import program

ACCESS_KEY = "mlworkflowtestkey"
SECRET_KEY = "mlworkflow-test-secret"


def free_port() -> int:
    """A TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def minio(folder: Path, certificates: Path | None = None) -> Iterator[str]:
    """A MinIO server; yields its endpoint. With TLS, if there is a folder with `public.crt` and `private.key`."""
    build(["minio"])
    port = free_port()
    environ = {**os.environ, "MINIO_ROOT_USER": ACCESS_KEY, "MINIO_ROOT_PASSWORD": SECRET_KEY}
    command = [
        FAMILIES["minio"].folder / "minio",
        "server",
        "--quiet",
        "--address",
        f"127.0.0.1:{port}",
        *(["--certs-dir", certificates] if certificates else []),
        folder / "data",
    ]
    with running(command, folder, environ, [port]):
        yield f"{'https' if certificates else 'http'}://127.0.0.1:{port}"


@contextlib.contextmanager
def seaweedfs(folder: Path) -> Iterator[str]:
    """A SeaweedFS server; yields the endpoint of its S3 API."""
    master, volume, filer, s3 = ports = [_weed_port() for _ in range(4)]
    keys = {"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}
    identity = {"name": "test", "credentials": [keys], "actions": ["Admin", "Read", "Write", "List", "Tagging"]}
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    (folder / "data").mkdir()
    command = [
        program("weed"), "server", "-ip=127.0.0.1", f"-dir={folder / 'data'}", f"-master.port={master}",
        f"-volume.port={volume}", "-volume.max=20", "-filer", f"-filer.port={filer}",
        "-s3", f"-s3.port={s3}", f"-s3.config={folder / 's3.json'}", "-s3.port.iceberg=0", "-s3.port.lance=0",
        "-master.telemetry=false", "-webdav=false",
    ]  # fmt: skip
    with running(command, folder, dict(os.environ), ports):
        yield f"http://127.0.0.1:{s3}"


@contextlib.contextmanager
def registry(folder: Path) -> Iterator[str]:
    """A registry of images, in memory; yields its host and port."""
    port = free_port()
    with running([program_of("registry"), f"127.0.0.1:{port}"], folder, dict(os.environ), [port]):
        yield f"127.0.0.1:{port}"


def checked(store: S3Store) -> S3Store:
    """`store` once it is usable: a server that has just opened its port may not be yet."""
    deadline = time.monotonic() + 30
    while True:
        try:
            store.check()
            return store
        except StoreUnavailable:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def _weed_port() -> int:
    """A free port whose gRPC twin, 10000 above it, exists."""
    while (port := free_port()) > 50000:
        pass
    return port


@contextlib.contextmanager
def running(command: list[object], folder: Path, environ: dict[str, str], ports: list[int]) -> Iterator[None]:
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(word) for word in command], env=environ, cwd=folder, stdout=output, stderr=output
        )
    try:
        deadline = time.monotonic() + 30
        while not all(_listens(port) for port in ports):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{command[0]} did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.05)
        yield
    finally:
        process.kill()  # its data goes with it, and SeaweedFS takes ten seconds to leave by itself
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
