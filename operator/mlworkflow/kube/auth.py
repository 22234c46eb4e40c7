"""How we prove to the API server who we are.

An `Auth` gives the headers for the next request. Handing it the headers that were just rejected with 401 makes it
fetch new ones, once for all the requests that were rejected together.
"""

import asyncio
import base64
import binascii
import os
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from types import MappingProxyType
from typing import Protocol

import orjson

from mlworkflow.kube.errors import Unauthorized
from mlworkflow.kube.objects import Json

Headers = Mapping[str, str]
NO_HEADERS: Headers = MappingProxyType({})


class Auth(Protocol):
    """A source of credentials."""

    async def headers(self, rejected: Headers | None = None) -> Headers:
        """The headers to send; `rejected` are headers that the server has refused."""


def bearer(token: str) -> Headers:
    """The header that carries a token."""
    return {"Authorization": f"Bearer {token}"}


@dataclass(frozen=True, slots=True)
class FixedAuth:
    """Headers that never change: a static token, or none at all when a client certificate speaks for us."""

    fixed: Headers = field(default_factory=dict)

    async def headers(self, rejected: Headers | None = None) -> Headers:
        return self.fixed


class TokenFile:
    """A token in a file that someone else replaces, as the kubelet does with a service account's before it expires."""

    def __init__(self, path: Path, *, reread_every: float = 60.0, now: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._reread_every = reread_every
        self._now = now
        self._headers: Headers = NO_HEADERS
        self._read_at = float("-inf")

    async def headers(self, rejected: Headers | None = None) -> Headers:
        if rejected == self._headers or self._now() - self._read_at >= self._reread_every:
            try:
                self._headers = bearer(self._path.read_text().strip())
            except OSError as error:
                raise Unauthorized(401, "NoToken", f"cannot read the token: {error}") from error
            self._read_at = self._now()
        return self._headers


@dataclass(slots=True)
class ExecPlugin:
    """A command of the kubeconfig that prints an ExecCredential: a token, or a client certificate for `ssl_context`."""

    command: Sequence[str]
    environment: Mapping[str, str]
    info: Json
    ssl_context: ssl.SSLContext | None
    now: Callable[[], float] = time.time
    leeway: float = 60.0
    timeout: float = 60.0
    _headers: Headers | None = None
    _expires: float = float("inf")
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def headers(self, rejected: Headers | None = None) -> Headers:
        async with self._lock:
            if self._headers is None or rejected is self._headers or self.now() >= self._expires - self.leeway:
                self._accept(await self._run())
            assert self._headers is not None
            return self._headers

    async def _run(self) -> Json:
        environment = os.environ | self.environment | {"KUBERNETES_EXEC_INFO": orjson.dumps(self.info).decode()}
        try:
            process = await asyncio.create_subprocess_exec(
                *self.command, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
            )
        except OSError as error:
            raise self._failure(f"does not start: {error}") from error
        try:
            stdout, stderr = await asyncio.wait_for(process.communicate(), self.timeout)
        except TimeoutError as error:
            process.kill()
            await process.wait()
            raise self._failure(f"did not end within {self.timeout:g} s") from error
        if process.returncode:
            raise self._failure(f"exited with {process.returncode}: {stderr.decode(errors='replace').strip()[-500:]}")
        try:
            status = orjson.loads(stdout)["status"]
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise self._failure("did not print an ExecCredential with a status") from error
        if not isinstance(status, dict):
            raise self._failure("did not print an ExecCredential with a status")
        return status

    def _accept(self, status: Json) -> None:
        expires = status.get("expirationTimestamp")
        self._expires = datetime.fromisoformat(expires).timestamp() if expires else float("inf")
        certificate, key = status.get("clientCertificateData"), status.get("clientKeyData")
        if certificate and key and self.ssl_context:
            load_client_certificate(self.ssl_context, certificate.encode(), key.encode())
        token = status.get("token")
        self._headers = bearer(token) if token else dict(NO_HEADERS)

    def _failure(self, what: str) -> Unauthorized:
        return Unauthorized(401, "ExecPluginFailed", f"the credential plugin {self.command[0]!r} {what}")


def load_client_certificate(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Add a PEM certificate and its key to `context`, by way of private files: Python's TLS reads nothing else."""
    with NamedTemporaryFile() as certificate_file, NamedTemporaryFile() as key_file:
        certificate_file.write(certificate)
        certificate_file.flush()
        key_file.write(key)
        key_file.flush()
        context.load_cert_chain(certificate_file.name, key_file.name)


def decoded(data: str, what: str) -> bytes:
    """The bytes of a base64 field of a kubeconfig."""
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise ValueError(f"{what} is not base64") from error
