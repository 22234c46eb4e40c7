"""Who is calling: by a Pod-bound service-account token in a cluster, by a random token in a local run.

Pod tokens are checked against the cluster's published keys, without an API call. Every failure is `Unauthorized`
(the caller re-reads its token and tries again) except keys that cannot be had, which is `NotReady`. No message holds
any part of a token.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import jwt
import msgspec

from mlworkflow.gateway.errors import NotReady, Unauthorized
from mlworkflow.gateway.runs import Caller
from mlworkflow.store.layout import AttemptKey

STEP_AUDIENCE = "mlworkflow"
READER_AUDIENCE = "mlworkflow-read"
WRITER_AUDIENCE = "mlworkflow-write"
PURGER_AUDIENCE = "mlworkflow-purge"
_ALGORITHMS = ["RS256", "ES256", "ES384", "ES512"]  # what an API server signs with; never a symmetric one
_LEEWAY = 5.0
_REFRESH_AFTER = 10.0
_KEYS_LIVE = 300.0
_REMEMBERED = 4096  # tokens, at some hundreds of bytes each


class Authenticator(Protocol):
    """Knows steps."""

    async def authenticate(self, token: str) -> Caller:
        """The caller whose token this is; raises `Unauthorized` or `NotReady`."""


class Reader(msgspec.Struct, frozen=True):
    """Somebody who may read the artifacts of one namespace."""

    namespace: str
    service_account: str


class Readers(Protocol):
    """Knows people."""

    async def reader(self, token: str) -> Reader:
        """The reader whose token this is; raises `Unauthorized` or `NotReady`."""

    async def writer(self, token: str) -> Reader:
        """As `reader`, for a token that was made in order to add something."""

    async def purger(self, token: str) -> Reader:
        """As `reader`, for a token that was made in order to remove what is kept of a run."""


class _Bound(msgspec.Struct, frozen=True):
    name: str
    uid: str = ""


class _KubernetesClaims(msgspec.Struct, frozen=True):
    namespace: str
    serviceaccount: _Bound
    pod: _Bound | None = None


@dataclass(frozen=True, slots=True)
class _Verified:
    """What a token said whose signature and audience were right by a key; its times are checked each time."""

    kid: str
    key: jwt.PyJWK
    claims: Mapping[str, Any]
    holder: _KubernetesClaims


class ClusterKeys:
    """The keys that the cluster signs tokens with. A step shows the same token again and again: its signature is verified once for each set of keys.

    `fetch` gets the JWKS document (``{"keys": […]}``). It is called for a key id that is not known, at most every 10
    seconds, and when the keys are 5 minutes old, so that a withdrawn key stops working.
    """

    def __init__(
        self,
        fetch: Callable[[], Awaitable[Mapping[str, Any]]],
        *,
        issuer: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._fetch = fetch
        self._issuer = issuer
        self._clock = clock
        self._keys: dict[str, jwt.PyJWK] = {}
        self._verified: dict[bytes, _Verified] = {}  # by the digest of audience and token, the oldest first
        self._tried = float("-inf")
        self._fetched = float("-inf")
        self._lock = asyncio.Lock()

    async def claims(self, token: str, audience: str) -> _KubernetesClaims:
        """What a token says of its holder, once its signature, audience and times have been checked."""
        digest = hashlib.sha256(f"{audience} {token}".encode(errors="surrogateescape")).digest()
        if (known := self._verified.get(digest)) and await self._key(known.kid) is known.key:
            self._check_times(known.claims)
            return known.holder
        try:
            kid = str(jwt.get_unverified_header(token).get("kid", ""))
            key = await self._key(kid)
            claims = jwt.decode(
                token,
                key,
                algorithms=_ALGORITHMS,
                audience=audience,
                issuer=self._issuer,
                options={"require": ["exp", "aud"], "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
        except (jwt.PyJWTError, UnicodeError, ValueError) as error:
            raise Unauthorized(f"the token is not valid: {type(error).__name__}") from None
        self._check_times(claims)
        try:
            holder = msgspec.convert(claims.get("kubernetes.io"), _KubernetesClaims)
        except msgspec.ValidationError:
            raise Unauthorized("the token is no service-account token of a cluster") from None
        self._verified[digest] = _Verified(kid, key, claims, holder)
        if len(self._verified) > _REMEMBERED:
            del self._verified[next(iter(self._verified))]
        return holder

    def _check_times(self, claims: Mapping[str, Any]) -> None:
        now = self._clock()
        expires, begins = claims["exp"], claims.get("nbf", 0)
        if not isinstance(expires, int | float) or not isinstance(begins, int | float):
            raise Unauthorized("the token's times cannot be read")
        if expires + _LEEWAY < now:
            raise Unauthorized("the token has expired")
        if begins - _LEEWAY > now:
            raise Unauthorized("the token is not valid yet")

    async def _key(self, kid: str) -> jwt.PyJWK:
        if kid not in self._keys or self._clock() - self._fetched > _KEYS_LIVE:
            async with self._lock:
                await self._refresh_unless_tried()
        if kid in self._keys:
            return self._keys[kid]
        if not self._keys:
            raise NotReady("the cluster's token keys are not known yet")
        raise Unauthorized("the token is signed with a key that the cluster does not publish")

    async def _refresh_unless_tried(self) -> None:
        now = self._clock()
        if now - self._tried < _REFRESH_AFTER:
            return
        self._tried = now
        try:
            document = await self._fetch()
        except Exception as error:  # whatever a transport raises: the keys at hand go on working
            if not self._keys:
                raise NotReady(f"the cluster's token keys cannot be had: {type(error).__name__}") from error
            return
        self._keys = {str(key.key_id): key for key in jwt.PyJWKSet.from_dict(dict(document)).keys}
        self._fetched = now


class PodTokens:
    """Steps in a cluster: tokens that a Pod holds, with the audience `mlworkflow`."""

    def __init__(self, keys: ClusterKeys) -> None:
        self._keys = keys

    async def authenticate(self, token: str) -> Caller:
        claims = await self._keys.claims(token, STEP_AUDIENCE)
        if claims.pod is None or not claims.pod.uid:
            raise Unauthorized("the token is not bound to a Pod")
        return Caller(
            namespace=claims.namespace,
            pod=claims.pod.name,
            pod_uid=claims.pod.uid,
            service_account=claims.serviceaccount.name,
        )


class ReaderTokens:
    """People in a cluster: whoever may create a token for a service account of a namespace, with the audience
    `mlworkflow-read`, `mlworkflow-write` for adding something, or `mlworkflow-purge` for what cannot be undone.
    """

    def __init__(self, keys: ClusterKeys) -> None:
        self._keys = keys

    async def reader(self, token: str) -> Reader:
        return await self._known(token, READER_AUDIENCE)

    async def writer(self, token: str) -> Reader:
        return await self._known(token, WRITER_AUDIENCE)

    async def purger(self, token: str) -> Reader:
        return await self._known(token, PURGER_AUDIENCE)

    async def _known(self, token: str, audience: str) -> Reader:
        claims = await self._keys.claims(token, audience)
        return Reader(claims.namespace, claims.serviceaccount.name)


class LocalTokens:
    """Steps of a local run: one random token for each attempt, known from `issue` to `revoke`."""

    def __init__(self, make: Callable[[], str] = lambda: secrets.token_urlsafe(32)) -> None:
        self._make = make
        self._attempts: dict[str, AttemptKey] = {}

    def issue(self, key: AttemptKey) -> str:
        """A new token for this attempt."""
        token = self._make()
        self._attempts[token] = key
        return token

    def revoke(self, token: str) -> None:
        """Forgets a token; one that is not known is no error."""
        self._attempts.pop(token, None)

    async def authenticate(self, token: str) -> Caller:
        key = self._attempts.get(token)
        if key is None:
            raise Unauthorized("the token is not known")
        return Caller(namespace=key.namespace, attempt=key)
