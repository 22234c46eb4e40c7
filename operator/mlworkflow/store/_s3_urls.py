"""Signed URLs for an S3 store: what a step may hold. No I/O but for `ScopedKeys`.

A presigned PUT says *where*; a step must also be bound to *what*, or it could store other bytes under a digest.
Stores differ in what they enforce, so there are two forms, and `_s3_probe` finds out which one a store keeps:

* `CHECKSUM` (AWS, SeaweedFS): the headers ``x-amz-checksum-sha256`` and ``content-length`` are signed. These stores
  refuse any further ``x-amz-*`` header that is not signed.
* `PAYLOAD` (MinIO): the payload's hash is in the signed query, and ``x-amz-copy-source`` is signed as empty by way
  of the query. MinIO accepts unsigned ``x-amz-*`` headers: with the first form, whoever holds a PUT URL for their
  own key could have it filled with a copy of any object the signing key can read.
"""

from __future__ import annotations

import base64
import enum
import json
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

import urllib3
from minio.credentials.credentials import Credentials
from minio.credentials.providers import AssumeRoleProvider, Provider

from mlworkflow.store._protocol import SignedPut
from mlworkflow.store._sigv4 import UNSIGNED, presign

_SCOPED_SECONDS = 12 * 3600


class Form(enum.Enum):
    """How a PUT is bound to its bytes; see the module."""

    CHECKSUM = "checksum"
    PAYLOAD = "payload"


class UrlSigner:
    """Signs requests on the objects of one bucket."""

    def __init__(
        self, endpoint: str, bucket: str, region: str, *, path_style: bool, clock: Callable[[], float] = time.time
    ) -> None:
        parts = urlsplit(endpoint)
        base = endpoint.rstrip("/") + f"/{bucket}" if path_style else f"{parts.scheme}://{bucket}.{parts.netloc}"
        self._base = base
        self._bucket = bucket
        self._region = region
        self._clock = clock

    def url(
        self,
        method: str,
        key: str,
        expires: float,
        credentials: Credentials,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        payload: str = UNSIGNED,
    ) -> str:
        """A URL for one request on one object, which must carry exactly `headers`."""
        return presign(
            method,
            f"{self._base}/{quote(key)}",
            access_key=credentials.access_key,
            secret_key=credentials.secret_key,
            session_token=credentials.session_token,
            region=self._region,
            now=datetime.fromtimestamp(self._clock(), UTC),
            expires=max(1, int(expires)),
            headers=headers or {},
            query=query or {},
            payload=payload,
        )

    def put(
        self,
        form: Form,
        key: str,
        digest: str,
        size: int,
        expires: float,
        credentials: Credentials,
        part: Mapping[str, str] | None = None,
    ) -> SignedPut:
        """Permission to PUT exactly the bytes of this digest (``sha256:<hex>``) and size; `part` is the query that names a part of an object."""
        part = part or {}
        hexadecimal = digest.removeprefix("sha256:")
        length = {"content-length": str(size)}
        if form is Form.CHECKSUM:
            checksum = {"x-amz-checksum-sha256": base64.b64encode(bytes.fromhex(hexadecimal)).decode()}
            headers = {**length, **checksum}
            return SignedPut(self.url("PUT", key, expires, credentials, headers=headers, query=dict(part)), checksum)
        copy = {"x-amz-copy-source": ""}
        query = {**part, **copy, "X-Amz-Content-Sha256": hexadecimal}
        headers = {**length, **copy}
        return SignedPut(
            self.url("PUT", key, expires, credentials, headers=headers, query=query, payload=hexadecimal), {}
        )

    def copy_source(self, key: str) -> str:
        """How a copy request names an object of this bucket."""
        return f"/{self._bucket}/{quote(key)}"


class ScopedKeys:
    """Keys of one namespace's artifacts alone, from the store's STS, kept until half of their time is over, or our own keys are others.

    A URL shows the id of the key that signed it, and MinIO's last open release takes uploads from whoever knows an
    id (CVE-2026-41145): what the id may do must be no more than what the holder of the URL may.
    """

    def __init__(
        self,
        endpoint: str,
        bucket: str,
        region: str,
        provider: Provider,
        pool: urllib3.PoolManager,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._endpoint = endpoint
        self._bucket = bucket
        self._region = region
        self._provider = provider
        self._pool = pool
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, Credentials, Credentials]] = {}

    def for_namespace(self, namespace: str) -> Credentials:
        """Keys that can read and write ``<namespace>/cas/`` and nothing else; I/O twice a day. Raises what the
        `minio` client does.
        """
        with self._lock:
            own = self._provider.retrieve()
            kept = self._kept.get(namespace)
            if kept is None or kept[0] < self._clock() or kept[1] != own:  # theirs end with ours
                kept = (self._clock() + _SCOPED_SECONDS / 2, own, self._assume(namespace, own))
                self._kept[namespace] = kept
            return kept[2]

    def _assume(self, namespace: str, own: Credentials) -> Credentials:
        resource = f"arn:aws:s3:::{self._bucket}/{namespace}/cas/*"
        statement = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": [resource]}
        return AssumeRoleProvider(
            sts_endpoint=self._endpoint,
            access_key=own.access_key,
            secret_key=own.secret_key,
            duration_seconds=_SCOPED_SECONDS,
            policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
            region=self._region,
            http_client=self._pool,
        ).retrieve()
