"""Signing in by OpenID Connect: authorization code flow with PKCE. What comes of it is an ID token, which the API server has to accept itself.

The browser is bound to its attempt by a cookie, the answer by `state`, the token by `nonce`; signatures are checked with the provider's published keys.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
import ssl
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import aiohttp
import jwt
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from mlworkflow.kube.auth import Headers, bearer
from mlworkflow.kube.errors import Unauthorized
from mlworkflow.ui.failing import SIGN_IN, Refusal, problem_of
from mlworkflow.ui.guard import OIDC
from mlworkflow.ui.responses import answered
from mlworkflow.ui.team import IDLE, TeamDoor

CALLBACK = f"{OIDC}/callback"
COOKIE = "mlwf-ui-oidc"
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
ATTEMPT = 600.0
"""Seconds that somebody has to sign in with the provider."""
ATTEMPTS = 1000
LEEWAY = 60.0
"""Seconds before its end from which on a token is renewed."""
TIMEOUT = aiohttp.ClientTimeout(total=15)


@dataclass(frozen=True, slots=True)
class Settings:
    """`url` is the page's own address, without a slash at its end; `trust` None: the system's authorities."""

    issuer: str
    client_id: str
    client_secret: str
    url: str
    scopes: str = "openid profile email"
    trust: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True)
class Tokens:
    """`until` is when the ID token ends, in seconds since the epoch."""

    id_token: str = field(repr=False)
    refresh: str = field(repr=False)
    until: float


@dataclass(frozen=True, slots=True)
class _Attempt:
    verifier: str
    nonce: str
    back: str
    at: float


class Provider:
    """An identity provider."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._clock = clock
        self._about: Mapping[str, Any] | None = None

    async def address(self, state: str, nonce: str, verifier: str) -> str:
        """Where the browser goes to sign in."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": f"{self._settings.url}{CALLBACK}",
            "scope": self._settings.scopes,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return f"{(await self._known())['authorization_endpoint']}?{urlencode(asked)}"

    async def tokens(self, code: str, verifier: str, nonce: str) -> Tokens:
        """What a code stands for. Raises Refusal."""
        asked = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": f"{self._settings.url}{CALLBACK}",
            "code_verifier": verifier,
        }
        return await self._checked(await self._ask(asked), nonce, "")

    async def renewed(self, refresh: str) -> Tokens:
        """Later ones. Raises Refusal."""
        return await self._checked(
            await self._ask({"grant_type": "refresh_token", "refresh_token": refresh}), None, refresh
        )

    async def _ask(self, asked: Mapping[str, str]) -> Mapping[str, Any]:
        form = {**asked, "client_id": self._settings.client_id}
        if self._settings.client_secret:
            form["client_secret"] = self._settings.client_secret
        return await self._json("POST", str((await self._known())["token_endpoint"]), form)

    async def _checked(self, answer: Mapping[str, Any], nonce: str | None, refresh: str) -> Tokens:
        token = str(answer.get("id_token") or "")
        keys = jwt.PyJWKSet.from_dict(dict(await self._json("GET", str((await self._known())["jwks_uri"]))))
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            key = next((one for one in keys.keys if kid in (None, one.key_id)), None)
            if key is None:
                raise jwt.InvalidTokenError("it is signed with a key that the provider does not publish")
            claims = jwt.decode(
                token,
                key.key,
                algorithms=ALGORITHMS,
                audience=self._settings.client_id,
                issuer=self._settings.issuer,
                options={"require": ["exp", "iat", "sub", "iss", "aud"]},
                leeway=30,
            )
        except jwt.PyJWTError as error:
            raise Refusal(SIGN_IN, f"the provider's token is not sound: {error}", "sign in again") from None
        if nonce is not None and not hmac.compare_digest(str(claims.get("nonce") or ""), nonce):
            raise Refusal(SIGN_IN, "the provider's token is of another attempt to sign in", "sign in again")
        return Tokens(token, str(answer.get("refresh_token") or refresh), float(claims["exp"]))

    async def _known(self) -> Mapping[str, Any]:
        if self._about is None:
            about = await self._json("GET", f"{self._settings.issuer.rstrip('/')}/.well-known/openid-configuration")
            if about.get("issuer") != self._settings.issuer:
                raise Refusal(
                    SIGN_IN, f"the provider calls itself {about.get('issuer')}, and {self._settings.issuer} is set"
                )
            self._about = about
        return self._about

    async def _json(self, method: str, url: str, form: Mapping[str, str] | None = None) -> Mapping[str, Any]:
        """Raises Refusal, which tells what the provider says of an error and nothing that was sent."""
        try:
            async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
                trust = True if self._settings.trust is None else self._settings.trust
                async with session.request(method, url, data=form, ssl=trust, allow_redirects=False) as answer:
                    found = await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise Refusal(
                SIGN_IN, f"the identity provider does not answer: {type(error).__name__}", "try again"
            ) from None
        if not isinstance(found, dict):
            raise Refusal(SIGN_IN, "the identity provider gives no sensible answer")
        if answer.status >= 400 or "error" in found:
            word = str(found.get("error_description") or found.get("error") or answer.status)[:200]
            raise Refusal(SIGN_IN, f"the identity provider refuses: {word}", "sign in again")
        return found


class Renewing:
    """Implements `Auth`: an ID token, renewed before it ends."""

    def __init__(self, provider: Provider, tokens: Tokens, clock: Callable[[], float] = time.time) -> None:
        self._provider = provider
        self._tokens = tokens
        self._clock = clock
        self._lock = asyncio.Lock()

    async def headers(self, rejected: Headers | None = None) -> Headers:
        async with self._lock:
            current = bearer(self._tokens.id_token)
            is_over = self._clock() > self._tokens.until - LEEWAY
            if (is_over or rejected == current) and self._tokens.refresh:
                try:
                    self._tokens = await self._provider.renewed(self._tokens.refresh)
                except Refusal as error:
                    raise Unauthorized(401, "SignedOut", str(error)) from None
            return bearer(self._tokens.id_token)


class OidcSignIn:
    """The two addresses of it."""

    def __init__(self, provider: Provider, door: TeamDoor, clock: Callable[[], float] = time.time) -> None:
        self._provider = provider
        self._door = door
        self._clock = clock
        self._attempts: OrderedDict[str, _Attempt] = OrderedDict()

    def routes(self) -> list[Route]:
        return [Route(OIDC, self.begin), Route(CALLBACK, self.end)]

    async def begin(self, request: Request) -> Response:
        """To the provider."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        try:
            response = RedirectResponse(await self._provider.address(state, nonce, verifier), 303)
        except Refusal as error:
            return answered(problem_of(error), error.status)
        back = request.query_params.get("back", "/")
        back = back if back.startswith("/") and not back.startswith(("//", "/\\")) else "/"
        self._attempts[state] = _Attempt(verifier, nonce, back, self._clock())
        if len(self._attempts) > ATTEMPTS:
            self._attempts.popitem(last=False)
        is_secure = request.url.scheme == "https"
        response.set_cookie(
            COOKIE, state, httponly=True, samesite="lax", secure=is_secure, path=OIDC, max_age=int(ATTEMPT)
        )
        return response

    async def end(self, request: Request) -> Response:
        """Back from it."""
        try:
            return await self._end(request)
        except Refusal as error:
            return answered(problem_of(error), error.status)

    async def _end(self, request: Request) -> Response:
        state, own = request.query_params.get("state", ""), request.cookies.get(COOKIE, "")
        attempt = self._attempts.pop(state, None)
        if not state or not hmac.compare_digest(state.encode(), own.encode()) or attempt is None:
            raise Refusal(SIGN_IN, "this is not the answer to an attempt to sign in of this browser", "sign in again")
        if attempt.at + ATTEMPT < self._clock():
            raise Refusal(SIGN_IN, "signing in took too long", "sign in again")
        if word := request.query_params.get("error"):
            raise Refusal(SIGN_IN, f"the identity provider refuses: {word[:200]}", "sign in again")
        tokens = await self._provider.tokens(request.query_params.get("code", ""), attempt.verifier, attempt.nonce)
        response = RedirectResponse(attempt.back, 303)
        until = self._clock() + IDLE if tokens.refresh else tokens.until
        await self._door.let_in(Renewing(self._provider, tokens), tokens.id_token, request, response, until)
        response.delete_cookie(COOKIE, httponly=True, samesite="lax", path=OIDC)
        return response
