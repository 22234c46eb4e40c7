"""A store behind the S3 API, on the `minio` client: MinIO, SeaweedFS, AWS, and what else keeps the API.

The client signs its own requests with headers; URLs for steps come from `_s3_urls`. `check` must have run before
`sign_put`: it finds the form of a signed PUT that this store enforces, and refuses a store that enforces none.
"""

from __future__ import annotations

import contextlib
import logging
import math
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.commonconfig import REPLACE, CopySource
from minio.credentials.credentials import Credentials
from minio.credentials.providers import Provider
from minio.datatypes import Object
from minio.error import MinioException, S3Error, ServerError
from urllib3.exceptions import HTTPError

from mlworkflow.store._protocol import Entry, SignedPut
from mlworkflow.store._s3_errors import translated
from mlworkflow.store._s3_parts import WORD, S3Parts
from mlworkflow.store._s3_probe import find_form, is_forgeable, parts_are_bound
from mlworkflow.store._s3_urls import Form, ScopedKeys, UrlSigner
from mlworkflow.store.errors import NotFound, StoreRefused, StoreUnavailable

_CHUNK = 1 << 20
_OWN_REQUEST_SECONDS = 300
_UPLOAD_SECONDS = 86400  # the signature is looked at when an upload begins; some stores look again at its end
_SECONDS_THAT_MATTER = 30.0
_TIME_HOLDS = 300.0
NEW = {"if-none-match": "*"}
"""Headers of a PUT that writes nothing over."""
_Metadata = dict[str, str | list[str] | tuple[str]]
_log = logging.getLogger(__name__)
# Their warnings of a connection that broke, and all that they say below them, quote URLs: signed ones, and the token that an identity is proven with.
for _name in ("urllib3.connectionpool", "urllib3.util.retry"):
    logging.getLogger(_name).addFilter(lambda record: record.levelno >= logging.ERROR)


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Settings:
    """Which bucket, and how to reach it. `step_endpoint` is the URL that steps use, where it is another than the
    operator's.
    """

    endpoint: str
    bucket: str
    keys: Provider = field(repr=False)
    region: str = "us-east-1"
    path_style: bool = True
    create_bucket: bool = False
    ca_file: str | None = None
    step_endpoint: str | None = None


class S3Store:
    """An `ArtifactStore` in one bucket; `weaknesses` says, after `check`, what a hostile step could still do."""

    def __init__(self, settings: S3Settings, *, clock: Callable[[], float] = time.time) -> None:
        parts = urlsplit(settings.endpoint)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/"):
            raise StoreRefused(f"not an endpoint (http[s]://host[:port]): {settings.endpoint!r}")
        self.settings = settings
        self._pool = urllib3.PoolManager(
            maxsize=32,
            timeout=urllib3.Timeout(connect=5, read=30),
            retries=urllib3.Retry(total=2, redirect=0, backoff_factor=0.1, allowed_methods=None),
            ca_certs=settings.ca_file,
        )
        self._client = Minio(
            parts.netloc,
            secure=parts.scheme == "https",
            region=settings.region,
            http_client=self._pool,
            credentials=settings.keys,
        )
        if not settings.path_style:
            self._client.enable_virtual_style_endpoint()  # type: ignore[no-untyped-call]
        self._clock, self._ahead = clock, 0.0
        self._learned = -math.inf
        self._own = self._signer(settings.endpoint, self._now)
        self._steps = self._signer(settings.step_endpoint or settings.endpoint, self._now)
        self._scoped = ScopedKeys(
            settings.endpoint, settings.bucket, settings.region, settings.keys, self._pool, self._now
        )
        self._is_scoped = False
        self._locks = [threading.Lock() for _ in range(64)]
        self._form = Form.CHECKSUM
        self._is_probed = False
        self._parts: S3Parts | None = None
        self.weaknesses: tuple[str, ...] = ()

    def stat(self, key: str) -> int | None:
        try:
            with self._translated():
                return self._head(key).size
        except NotFound:
            return None

    def read(self, key: str) -> Iterator[bytes]:
        with self._translated():
            response = self._client.get_object(self.settings.bucket, key)

        def chunks() -> Iterator[bytes]:
            try:
                with self._translated():
                    yield from response.stream(_CHUNK)
            finally:
                response.close()
                response.release_conn()

        return chunks()

    def read_bytes(self, key: str) -> bytes:
        return b"".join(self.read(key))

    def write_bytes(self, key: str, data: bytes, *, if_absent: bool = False) -> bool:
        headers = NEW if if_absent else {}
        response = self._put(self.url_of_put(key, headers), headers, data)
        if if_absent and response.status in (409, 412):
            return False
        self._raise_for(response)
        return True

    def url_of_put(self, key: str, headers: Mapping[str, str]) -> str:
        """A URL for one PUT of our own, with exactly these headers: with `NEW` it writes where there is nothing yet."""
        return self._own.url("PUT", key, _OWN_REQUEST_SECONDS, self._keys(), headers=headers)

    def write(self, key: str, digest: str, size: int, pieces: Iterator[bytes]) -> None:
        url, headers = self._own.put(self._form, key, digest, size, _UPLOAD_SECONDS, self._keys())
        sent = {**headers, "content-length": str(size)}
        with self._translated():  # once: what has been read cannot be read again
            response = self._pool.request(
                "PUT", url, body=pieces if size else b"", headers=sent, redirect=False, retries=False
            )
        self._raise_for(response)

    def list(self, prefix: str) -> Iterator[str]:
        with self._translated():
            for found in self._client.list_objects(self.settings.bucket, prefix=prefix, recursive=True):
                if found.object_name:
                    yield found.object_name

    def entries(self, prefix: str) -> Iterator[Entry]:
        with self._translated():
            for found in self._client.list_objects(self.settings.bucket, prefix=prefix, recursive=True):
                if found.object_name and not found.is_dir and found.last_modified:
                    yield Entry(found.object_name, found.size or 0, found.last_modified.timestamp())

    def folders(self, prefix: str) -> Iterator[str]:
        with self._translated():
            for found in self._client.list_objects(self.settings.bucket, prefix=prefix):
                if found.object_name and found.is_dir:
                    yield found.object_name.removeprefix(prefix).strip("/")

    def now(self) -> float:
        if time.monotonic() - self._learned > _TIME_HOLDS:
            with self._translated():
                self._learn_the_time()
            self._learned = time.monotonic()
        return self._now()

    def refresh(self, key: str, before: float) -> int | None:
        with self._alone(key), contextlib.suppress(NotFound), self._translated():
            size, modified = self._looked_at(key)
            if modified < before:
                word = self._metadata(key).get(WORD)
                self._rewrite(key, {"refreshed": "1", **({WORD: word} if word else {})})
            return size
        return None

    def _rewrite(self, key: str, metadata: _Metadata) -> None:
        bucket = self.settings.bucket
        self._client.copy_object(bucket, key, CopySource(bucket, key), metadata=metadata, metadata_directive=REPLACE)

    def discard(self, key: str, before: float) -> bool:
        with self._alone(key), contextlib.suppress(NotFound), self._translated():
            if self._looked_at(key)[1] < before:
                self._client.remove_object(self.settings.bucket, key)
                return True
        return False

    def _metadata(self, key: str) -> dict[str, str]:
        """What an object was given by who wrote it."""
        with self._translated():
            found = self._client.stat_object(self.settings.bucket, key).metadata or {}
        prefix = "x-amz-meta-"
        return {k.lower().removeprefix(prefix): v for k, v in found.items() if k.lower().startswith(prefix)}

    def _send(
        self, method: str, key: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes = b""
    ) -> bytes:
        url = self._own.url(method, key, _OWN_REQUEST_SECONDS, self._keys(), headers=dict(headers), query=dict(query))
        with self._translated():
            response = self._pool.request(
                method, url, body=body or None, headers=dict(headers), redirect=False, timeout=_OWN_REQUEST_SECONDS
            )
        self._raise_for(response)
        return response.data

    def _sign_part(self, key: str, digest: str, size: int, expires: float, part: Mapping[str, str]) -> SignedPut:
        return self._steps.put(self._form, key, digest, size, expires, self._step_keys(key), part)

    def _believe(self, key: str) -> None:
        with self._alone(key), self._translated():
            self._rewrite(key, {"verified": "1"})

    def _looked_at(self, key: str) -> tuple[int, float]:
        found = self._head(key)
        assert found.last_modified is not None
        return found.size or 0, found.last_modified.timestamp()

    def _head(self, key: str) -> Object:
        """What is known of an object. A HEAD has no body: why it was refused is what a GET is told."""
        try:
            return self._client.stat_object(self.settings.bucket, key)
        except S3Error as error:
            if error.response.status == 403:
                self._client.get_object(self.settings.bucket, key, length=1).close()
            raise

    def _alone(self, key: str) -> threading.Lock:
        """Who refreshes or discards an object does so alone: all of it goes through this process (there is one operator)."""
        return self._locks[hash(key) % len(self._locks)]

    def delete(self, key: str) -> None:
        with contextlib.suppress(NotFound), self._translated():
            self._client.remove_object(self.settings.bucket, key)

    def sign_get(self, key: str, expires: float) -> str:
        return self._steps.url("GET", key, expires, self._step_keys(key))

    def sign_put(self, key: str, digest: str, size: int, expires: float) -> SignedPut:
        return self._steps.put(self._form, key, digest, size, expires, self._step_keys(key))

    @property
    def in_parts(self) -> S3Parts | None:
        return self._parts

    def check(self) -> None:
        with self._translated():
            self._learn_the_time()
            if not self._has_bucket():
                if not self.settings.create_bucket:
                    raise StoreRefused(f"bucket {self.settings.bucket!r} does not exist, and may not be created")
                self._create_bucket()
        if not self._is_probed:  # once is enough: it writes objects, and servers do not change their ways under way
            self._find_what_is_enforced()
            self._is_probed = True

    def _now(self) -> float:
        """The store's time, which is the one that signatures are judged by: our clock, and how far the store's is ahead of it."""
        return self._clock() + self._ahead

    def _learn_the_time(self) -> None:
        """By the `Date` of any answer; seconds do not matter, for a signature counts for minutes."""
        date = self._pool.request("HEAD", self.settings.endpoint, redirect=False).headers.get("Date")
        with contextlib.suppress(TypeError, ValueError):
            ahead = parsedate_to_datetime(date or "").timestamp() - self._clock()
            if abs(ahead - self._ahead) > _SECONDS_THAT_MATTER:
                _log.warning("store clock ahead=%.0f s", ahead)
                self._ahead = ahead

    def _has_bucket(self) -> bool:
        """As in `_head`, a refusal is asked for its words."""
        try:
            return self._client.bucket_exists(self.settings.bucket)
        except S3Error as error:
            if error.response.status == 403:
                next(iter(self._client.list_objects(self.settings.bucket, prefix="check/")), None)
            raise

    def _create_bucket(self) -> None:
        try:
            self._client.make_bucket(self.settings.bucket, self.settings.region)
        except S3Error as error:
            if error.code not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                raise

    def _find_what_is_enforced(self) -> None:
        folder = f"check/cas/{uuid.uuid4().hex}/"
        source = folder + "source"
        keys = self._keys()
        try:
            self.write_bytes(source, b"secret")
            form = find_form(
                lambda form, key, digest, size: self._own.put(form, key, digest, size, _OWN_REQUEST_SECONDS, keys),
                self._status_of_put,
                self._own.copy_source(source),
                folder,
            )
            forgeable = is_forgeable(
                lambda key: self._own.url("PUT", key, _OWN_REQUEST_SECONDS, keys), self._status_of_put, folder
            )
        finally:
            for key in list(self.list(folder)):
                self.delete(key)
        if form is None:
            raise StoreRefused(
                "this store does not bind a signed upload to its digest: a step could store anything under any digest"
            )
        self._form = form
        self._parts = self._probed_parts(form, folder)
        self._is_scoped = forgeable and self._can_scope()
        if forgeable:
            reach = "its own namespace's artifacts" if self._is_scoped else "every object of the bucket"
            forged = "the store takes uploads with a forged signature (CVE-2026-41145)"
            self.weaknesses = (f"{forged}: a hostile step can spoil {reach}",)
            _log.warning("store weakness=%s", self.weaknesses[0])

    def _probed_parts(self, form: Form, folder: str) -> S3Parts | None:
        """A store that has uploads in parts, and binds each part to its digest."""
        parts = S3Parts(form, self._send, self._sign_part, self._metadata, self._believe)
        own = S3Parts(form, self._send, self._own_part, self._metadata, self._believe)
        key = f"{folder}parts"
        try:
            upload = own.begin(key, "probe")
            try:
                is_good = parts_are_bound(
                    own, key, upload, self._status_of_put, self._own.copy_source(f"{folder}source")
                )
            finally:
                own.abort(key, upload)
        except (StoreRefused, NotFound) as error:
            _log.warning("store parts=refused error=%s", error)
            return None
        if not is_good:
            _log.warning("store parts=unbound")
        return parts if is_good else None

    def _own_part(self, key: str, digest: str, size: int, expires: float, part: Mapping[str, str]) -> SignedPut:
        return self._own.put(self._form, key, digest, size, expires, self._keys(), part)

    def _can_scope(self) -> bool:
        try:
            self._scoped.for_namespace("check")
        except (MinioException, HTTPError, OSError, ValueError) as error:
            _log.warning("store sts=unavailable error=%s", type(error).__name__)
            return False
        return True

    def _step_keys(self, key: str) -> Credentials:
        if not self._is_scoped:
            return self._keys()
        with self._translated():
            return self._scoped.for_namespace(key.partition("/")[0])

    def _keys(self) -> Credentials:
        return self.settings.keys.retrieve()

    def _signer(self, endpoint: str, clock: Callable[[], float]) -> UrlSigner:
        settings = self.settings
        return UrlSigner(endpoint, settings.bucket, settings.region, path_style=settings.path_style, clock=clock)

    def _status_of_put(self, url: str, headers: Mapping[str, str], data: bytes) -> int:
        status = self._put(url, headers, data).status
        if status >= 500 and status != 501:
            raise StoreUnavailable(f"the store answered {status}")
        return status

    def _put(self, url: str, headers: Mapping[str, str], data: bytes) -> urllib3.BaseHTTPResponse:
        with self._translated():
            return self._pool.request("PUT", url, body=data, headers=dict(headers), redirect=False)

    def _raise_for(self, response: urllib3.BaseHTTPResponse) -> None:
        if response.status >= 300:
            with self._translated():
                try:
                    raise S3Error.fromxml(response)
                except (ValueError, SyntaxError):
                    raise ServerError("no XML", response.status) from None

    def _translated(self) -> contextlib.AbstractContextManager[None]:
        return translated(self.settings.endpoint)
