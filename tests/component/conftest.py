"""One store of each kind for the session; a test that asks for `store` runs on all of them.

``MLWF_TEST_S3_ENDPOINT``, with ``MLWF_TEST_S3_ACCESS_KEY``, ``…_SECRET_KEY``, ``…_BUCKET`` and ``…_REGION``, adds a server of one's own.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mlworkflow.store._protocol import ArtifactStore
from mlworkflow.store.credentials import FixedKeys
from mlworkflow.store.directory import DirectoryStore
from mlworkflow.store.s3 import S3Settings, S3Store
from mlworkflow.store.signing import BlobSigner

from tests.component.servers import ACCESS_KEY, SECRET_KEY, checked, minio, seaweedfs

SERVERS = ["minio", "seaweedfs", *(["external"] if "MLWF_TEST_S3_ENDPOINT" in os.environ else [])]
SECRET = b"0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="session")
def endpoints(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """The endpoint of a server by its kind, started when it is first asked for."""
    started: dict[str, str] = {}
    with contextlib.ExitStack() as stack:

        def endpoint(kind: str) -> str:
            if kind == "external":
                return os.environ["MLWF_TEST_S3_ENDPOINT"]
            if kind not in started:
                server = {"minio": minio, "seaweedfs": seaweedfs}[kind]
                started[kind] = stack.enter_context(server(tmp_path_factory.mktemp(kind)))
            return started[kind]

        yield endpoint


@pytest.fixture(scope="session")
def s3_stores(endpoints: Callable[[str], str]) -> Callable[[str], S3Store]:
    """A checked store by the kind of its server, one for the session."""
    made: dict[str, S3Store] = {}

    def store(kind: str) -> S3Store:
        if kind not in made:
            environ = os.environ if kind == "external" else {}
            keys = FixedKeys(
                environ.get("MLWF_TEST_S3_ACCESS_KEY", ACCESS_KEY), environ.get("MLWF_TEST_S3_SECRET_KEY", SECRET_KEY)
            )
            bucket = environ.get("MLWF_TEST_S3_BUCKET", "mlworkflow")
            region = environ.get("MLWF_TEST_S3_REGION", "us-east-1")
            settings = S3Settings(endpoint=endpoints(kind), bucket=bucket, region=region, keys=keys, create_bucket=True)
            made[kind] = checked(S3Store(settings))
        return made[kind]

    return store


@pytest.fixture(params=SERVERS)
def s3_store(request: pytest.FixtureRequest, s3_stores: Callable[[str], S3Store]) -> S3Store:
    """Each S3 server in turn."""
    return s3_stores(request.param)


@pytest.fixture
def signer() -> BlobSigner:
    """The signer of `directory_store`."""
    return BlobSigner(SECRET)


@pytest.fixture
def directory_store(tmp_path: Path, signer: BlobSigner) -> DirectoryStore:
    """A store in a fresh folder."""
    return DirectoryStore(tmp_path / "store", signer)


@pytest.fixture(params=["directory", *SERVERS])
def store(
    request: pytest.FixtureRequest, directory_store: DirectoryStore, s3_stores: Callable[[str], S3Store]
) -> ArtifactStore:
    """Every kind of store in turn."""
    return directory_store if request.param == "directory" else s3_stores(request.param)
