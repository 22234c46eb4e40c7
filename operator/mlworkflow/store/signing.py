"""Permissions for the gateway's own blob API, in a local run: what a presigned URL is to an S3 store. Pure but for
the clock.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Callable

import msgspec

from mlworkflow.store.errors import StoreRefused


class Grant(msgspec.Struct, frozen=True, array_like=True):
    """One method on one key until `deadline` (seconds since 1970); a PUT is for exactly these bytes."""

    method: str
    key: str
    deadline: float
    digest: str = ""
    size: int = 0


class BlobSigner:
    """Makes and reads grants. Whoever holds `secret` (32 bytes or more) can make one; it never leaves the process."""

    def __init__(self, secret: bytes, *, clock: Callable[[], float] = time.time) -> None:
        if len(secret) < 32:
            raise ValueError("a blob secret has at least 32 bytes")
        self._secret = secret
        self._clock = clock

    def sign(self, method: str, key: str, expires: float, *, digest: str = "", size: int = 0) -> str:
        """A grant as one URL path segment, good for `expires` seconds."""
        grant = Grant(method, key, self._clock() + expires, digest, size)
        body = base64.urlsafe_b64encode(msgspec.json.encode(grant)).decode()
        return f"{body}.{self._mac(body)}"

    def verify(self, signed: str, method: str) -> Grant:
        """The grant; raises `StoreRefused` when it is not ours, for another method, or over."""
        body, _, mac = signed.partition(".")
        if not hmac.compare_digest(mac.encode("utf-8", "replace"), self._mac(body).encode()):
            raise StoreRefused("the signature does not match")
        try:
            grant = msgspec.json.decode(base64.urlsafe_b64decode(body), type=Grant)
        except (binascii.Error, msgspec.MsgspecError) as error:
            raise StoreRefused("the grant cannot be read") from error
        if grant.method != method:
            raise StoreRefused(f"the grant is not for {method}")
        if grant.deadline < self._clock():
            raise StoreRefused("the grant has expired")
        return grant

    def _mac(self, body: str) -> str:
        return hmac.new(self._secret, body.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
