"""Who visits the page: a user, their place, and what has been worked out for them. How they prove who they are is for `Door`s."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response

from mlworkflow.ui.answers import SignIn
from mlworkflow.ui.failing import SIGN_IN, Refusal
from mlworkflow.ui.look import Look
from mlworkflow.ui.previews.cache import Cache
from mlworkflow.ui.previews.show import Previews
from mlworkflow.ui.site import Site


@dataclass(slots=True)
class Visitor:
    """`csrf` is what POSTs of theirs carry; `id` names them in signed addresses of content, and is no secret."""

    site: Site
    cache: Cache = field(default_factory=Cache)
    id: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    look: Look = field(init=False)
    previews: Previews = field(init=False)

    def __post_init__(self) -> None:
        self.look = Look(self.site)
        self.previews = Previews(self.site, self.cache)

    async def close(self) -> None:
        await self.look.close()
        await self.site.close()
        self.previews.close()


class Door(Protocol):
    """Lets visitors in."""

    def visitor(self, request: Request) -> Visitor:
        """Whose request it is. Raises Refusal (401)."""

    def by_id(self, id_: str) -> Visitor | None:
        """A visitor who is still there."""

    def ways(self, request: Request) -> SignIn:
        """How to sign in."""

    async def enter(self, token: str, request: Request, response: Response) -> Visitor:
        """Let in who has a token, and have the browser remember it. Raises Refusal (401)."""

    async def leave(self, request: Request, response: Response) -> None:
        """Forget a visitor."""

    async def close(self) -> None:
        """Forget all of them."""


class LinkDoor:
    """For the one user of this machine: who opens the address that was printed has its token from then on as a cookie, which is this port's own.

    Implements `Door`.
    """

    def __init__(self, visitor: Visitor, token: str, port: int) -> None:
        self._visitor = visitor
        self._token = token
        self.cookie = f"mlwf_ui_{port}"

    def visitor(self, request: Request) -> Visitor:
        if not self._is_known(request.cookies.get(self.cookie, "")):
            raise Refusal(SIGN_IN, "this page is for whoever started it", "open the address that mlwf ui has printed")
        return self._visitor

    def by_id(self, id_: str) -> Visitor | None:
        return self._visitor if id_ == self._visitor.id else None

    def ways(self, request: Request) -> SignIn:
        is_in = self._is_known(request.cookies.get(self.cookie, ""))
        hint = "open the address that mlwf ui has printed; it ends with ?token=…"
        return SignIn(is_needed=not is_in, ways=["link"], hint=hint)

    async def enter(self, token: str, request: Request, response: Response) -> Visitor:
        if not self._is_known(token):
            raise Refusal(SIGN_IN, "this is not the token of this page", "open the address that mlwf ui has printed")
        response.set_cookie(self.cookie, self._token, httponly=True, samesite="strict", path="/")
        return self._visitor

    async def leave(self, request: Request, response: Response) -> None:
        response.delete_cookie(self.cookie, httponly=True, samesite="strict", path="/")

    async def close(self) -> None:
        await self._visitor.close()

    def _is_known(self, token: str) -> bool:
        return hmac.compare_digest(token.encode(), self._token.encode())
