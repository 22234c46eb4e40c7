"""The page for a team, served in the cluster: everybody signs in as who they are to Kubernetes, and everything is read and done with their own token.

The server itself has no rights and no token: what its users may not see, it cannot. Tokens are in memory alone, never written down and never logged; a
session ends with its token, when it is left, or when nobody has used it for a while.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import secrets
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from mlworkflow.kube.auth import Auth, FixedAuth, bearer
from mlworkflow.kube.backoff import Backoff
from mlworkflow.kube.client import KubeClient
from mlworkflow.kube.config import ClusterConfig
from mlworkflow.runs.errors import NotAllowed, Unknown
from mlworkflow.ui.answers import SignIn
from mlworkflow.ui.cluster_site import ClusterSite
from mlworkflow.ui.failing import SIGN_IN, Refusal
from mlworkflow.ui.previews.cache import Cache
from mlworkflow.ui.visitors import Visitor

COOKIE = "mlwf-ui"
IDLE = 8 * 3600.0
"""Seconds after which a session ends that nobody uses."""
MOST = 500
"""Sessions; the one that was not used for the longest goes for a new one."""
LARGEST, ROOM = 64 << 20, 128 << 20
"""Bytes of an artifact that is looked at, and of all that one session keeps."""
LONGEST = 16 << 10
"""Characters of a token."""
_PATIENCE = Backoff(base=0.2, cap=2.0, attempts=3)
_HINT = "kubectl create token NAME -n NAMESPACE, for a service account with the role mlworkflow-view or mlworkflow-edit"
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Session:
    """`until` is when the token ends, in seconds since the epoch; `used` when it was used last."""

    visitor: Visitor
    client: KubeClient
    proof: str
    until: float
    used: float


class TeamDoor:
    """Implements `Door`. `cluster` has no credentials of its own. `provider` is what the identity provider is called, empty where there is none."""

    def __init__(
        self,
        cluster: ClusterConfig,
        *,
        namespaces: tuple[str, ...] = (),
        operator_namespace: str | None = None,
        provider: str = "",
        takes_tokens: bool = True,
        is_secure: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._cluster = cluster
        self._namespaces = namespaces
        self._operator_namespace = operator_namespace
        self._provider = provider
        self._takes_tokens = takes_tokens
        self._is_secure = is_secure
        self._clock = clock
        self._sessions: dict[str, _Session] = {}
        self._starting: set[asyncio.Task[None]] = set()

    def visitor(self, request: Request) -> Visitor:
        session = self._sessions.get(request.cookies.get(self._cookie(request), ""))
        now = self._clock()
        if session is None or session.until <= now or session.used + IDLE <= now:
            raise Refusal(SIGN_IN, "sign in first" if session is None else "the session has ended", "sign in")
        session.used = now
        return session.visitor

    def by_id(self, id_: str) -> Visitor | None:
        return next((each.visitor for each in self._sessions.values() if each.visitor.id == id_), None)

    def ways(self, request: Request) -> SignIn:
        try:
            self.visitor(request)
            is_needed = False
        except Refusal:
            is_needed = True
        ways: list[Any] = [*(["oidc"] if self._provider else []), *(["token"] if self._takes_tokens else [])]
        return SignIn(is_needed=is_needed, ways=ways, provider=self._provider, hint=_HINT if self._takes_tokens else "")

    async def enter(self, token: str, request: Request, response: Response) -> Visitor:
        if not self._takes_tokens:
            raise Refusal(SIGN_IN, "tokens are not taken here", f"sign in with {self._provider}")
        if not token or len(token) > LONGEST or not token.isascii() or not token.isprintable() or " " in token:
            raise Refusal(SIGN_IN, "this is no token", _HINT)
        return await self.let_in(FixedAuth(bearer(token)), token, request, response)

    async def let_in(self, auth: Auth, token: str, request: Request, response: Response, until: float = 0.0) -> Visitor:
        """Whoever `auth` proves to be, by the word of the API server. Raises Refusal (401)."""
        await self._sweep()
        proof = hashlib.sha256(token.encode()).hexdigest()
        known = next((id_ for id_, each in self._sessions.items() if each.proof == proof), "")
        visitor = self._sessions[known].visitor if known else await self._new(auth, token, proof, until)
        id_ = known or next(id_ for id_, each in self._sessions.items() if each.visitor is visitor)
        name, is_secure = self._cookie(request), self._is_encrypted(request)
        response.set_cookie(name, id_, httponly=True, samesite="strict", secure=is_secure, path="/")
        return visitor

    async def leave(self, request: Request, response: Response) -> None:
        name = self._cookie(request)
        if session := self._sessions.pop(request.cookies.get(name, ""), None):
            await _end(session)
        response.delete_cookie(name, httponly=True, samesite="strict", secure=self._is_encrypted(request), path="/")

    async def close(self) -> None:
        for session in self._sessions.values():
            await _end(session)
        self._sessions.clear()

    async def _new(self, auth: Auth, token: str, proof: str, until: float) -> Visitor:
        claims = _claims(token)
        client = KubeClient(replace(self._cluster, auth=auth), backoff=_PATIENCE)
        own = str((claims.get("kubernetes.io") or {}).get("namespace") or next(iter(self._namespaces), "default"))
        site = ClusterSite(
            client, mode="team", namespace=own, wanted=self._namespaces, operator_namespace=self._operator_namespace
        )
        try:
            user = await site.user()
        except (Unknown, NotAllowed):
            await client.close()
            raise Refusal(SIGN_IN, "the cluster does not accept this token", _HINT) from None
        except BaseException:
            await client.close()
            raise
        _log.info("%s signed in", user)
        visitor = Visitor(site, Cache(LARGEST, ROOM))
        end = until or float(claims.get("exp") or 0) or self._clock() + IDLE
        self._sessions[secrets.token_urlsafe(32)] = _Session(visitor, client, proof, end, self._clock())
        starting = asyncio.create_task(_started(site))
        self._starting.add(starting)
        starting.add_done_callback(self._starting.discard)
        return visitor

    async def _sweep(self) -> None:
        """End sessions that are over, and of too many the one that was not used for the longest."""
        now = self._clock()
        over = [id_ for id_, each in self._sessions.items() if each.until <= now or each.used + IDLE <= now]
        if len(self._sessions) - len(over) >= MOST:
            over.append(min(self._sessions, key=lambda id_: self._sessions[id_].used))
        for id_ in over:
            await _end(self._sessions.pop(id_))

    def _cookie(self, request: Request) -> str:
        return f"__Host-{COOKIE}" if self._is_encrypted(request) else COOKIE

    def _is_encrypted(self, request: Request) -> bool:
        return self._is_secure or request.url.scheme == "https"


async def _started(site: ClusterSite) -> None:
    with suppress(Exception):
        await site.start()


async def _end(session: _Session) -> None:
    await session.visitor.close()
    await session.client.close()


def _claims(token: str) -> Mapping[str, Any]:
    """What a token says of itself, which is believed by nobody but its owner; empty for one that is not a JWT."""
    with suppress(ValueError, IndexError):
        part = token.split(".")[1]
        found = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        return found if isinstance(found, dict) else {}
    return {}
