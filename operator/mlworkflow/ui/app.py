"""The page's server put together: its addresses, who may ask for them, and what is answered where something went wrong."""

from __future__ import annotations

import contextlib
import hmac
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from importlib.metadata import version
from typing import Any, TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from mlworkflow.core.errors import UserError
from mlworkflow.ui import acts, editor, live, views
from mlworkflow.ui.answers import (
    Decision,
    Done,
    Examples,
    Nothing,
    Problem,
    Promotion,
    Retry,
    Rollback,
    Session,
    Submit,
    Text,
    Which,
)
from mlworkflow.ui.asked import Query, body, checked_name, checked_namespace
from mlworkflow.ui.content import Content
from mlworkflow.ui.failing import NOT_ALLOWED, Refusal, problem_of
from mlworkflow.ui.guard import CONTENT, Guard
from mlworkflow.ui.look import Look
from mlworkflow.ui.responses import Events, answered, streamed
from mlworkflow.ui.static import page
from mlworkflow.ui.visitors import Door, Visitor

API = "/api/v1"
CSRF = "x-mlwf-csrf"
_log = logging.getLogger(__name__)
T = TypeVar("T", bound=msgspec.Struct)
Endpoint = Callable[[Request], Awaitable[Response]]


class SignInWith(msgspec.Struct):
    """What POST /sign-in takes."""

    token: str


def make_app(
    door: Door,
    *,
    hosts: Collection[str] | None = None,
    content_port: int | None = None,
    content_origin: str = "",
    page_origins: str = "'self'",
    extra: Collection[Route] = (),
    open_paths: Collection[str] = (),
) -> ASGIApp:
    """The whole of it. `hosts` are the names by which it is known (None: any); content that is not ours is served on `content_port`, which is
    `content_origin`, or (None) under the page's own name. `extra` are more of its addresses, `open_paths` those
    of them that are asked for by any name.
    """
    pages = _Pages(door, Content(door, content_origin, page_origins), content_origin)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            await door.close()

    routes = [*extra, *pages.routes(), Route("/{path:path}", pages.page)]
    return Guard(Starlette(routes=routes, lifespan=lifespan), hosts, content_port, content_origin, open_paths)


class _Pages:
    """The endpoints."""

    def __init__(self, door: Door, content: Content, content_origin: str) -> None:
        self._door = door
        self._content = content
        self._content_origin = content_origin

    def routes(self) -> list[Route]:
        read = {
            "rights": views.rights, "runs": views.runs, "run": views.run, "run/yaml": views.run_yaml, "run/happened": views.run_happened, "run/tasks": views.run_tasks, "run/timeline": views.run_timeline,
            "run/task": views.run_task, "run/log": views.run_log, "run/metrics": views.run_metrics, "run/study": views.run_study,
            "run/artifacts": views.run_artifacts, "artifact/download": views.download, "artifact/image": views.image, "lineage": views.lineage,
            "compare": views.compare, "models": views.models, "model": views.model, "datasets": views.datasets, "dataset": views.dataset,
        }  # fmt: skip
        heard = {"runs/events": live.runs, "run/events": live.run, "run/log/events": live.log, "run/metrics/events": live.metrics}  # fmt: skip
        done: dict[str, tuple[Callable[[Look, Any], Awaitable[Done]], type[msgspec.Struct]]] = {
            "submit": (acts.submit, Submit), "run/retry": (acts.retry, Retry), "run/suspend": (acts.suspend, Which), "run/resume": (acts.resume, Which),
            "run/cancel": (acts.cancel, Which), "run/delete": (acts.delete, Which), "run/approve": (acts.approve, Decision),
            "model/promote": (acts.promote, Promotion), "model/rollback": (acts.rollback, Rollback),
        }  # fmt: skip
        return [
            Route("/", self.root),
            Route(f"{CONTENT}{{ticket}}", self._content.serve),
            _route("session", self.session),
            _route("sign-in", self.ways),
            _route("sign-in", self.enter, "POST"),
            _route("sign-out", self.leave, "POST"),
            _route("artifact", self.artifact),
            _route("schema", self.schema),
            _route("examples", self.examples),
            _route("lint", self.lint, "POST"),
            *(_route(path, self._reading(view)) for path, view in read.items()),
            *(_route(path, self._hearing(view)) for path, view in heard.items()),
            *(_route(path, self._doing(act, type_), "POST") for path, (act, type_) in done.items()),
            Route(f"{API}/{{path:path}}", _nothing),
        ]

    async def root(self, request: Request) -> Response:
        """The page; where a token comes along, it becomes a cookie and leaves the address."""
        if not (token := request.query_params.get("token", "")):
            return page("")
        response = RedirectResponse("/", 303)
        with contextlib.suppress(Refusal):  # the page says how to sign in
            await self._door.enter(token, request, response)
        return response

    async def page(self, request: Request) -> Response:
        return page(request.path_params["path"])

    async def session(self, request: Request) -> Response:
        return await self._session(self._door.visitor(request))

    async def ways(self, request: Request) -> Response:
        return answered(self._door.ways(request))

    async def enter(self, request: Request) -> Response:
        token = (await body(request, SignInWith)).token.strip()
        response = Response()
        visitor = await self._door.enter(token, request, response)
        entered = await self._session(visitor)
        entered.raw_headers += [(name, value) for name, value in response.raw_headers if name == b"set-cookie"]
        return entered

    async def leave(self, request: Request) -> Response:
        _check(request, self._door.visitor(request))
        response = answered(Nothing())
        await self._door.leave(request, response)
        return response

    async def artifact(self, request: Request) -> Response:
        visitor = self._door.visitor(request)
        return answered(await views.artifact(visitor, Query(request), self._content.elsewhere(visitor)))

    async def schema(self, request: Request) -> Response:
        self._door.visitor(request)
        return answered(editor.schema())

    async def examples(self, request: Request) -> Response:
        self._door.visitor(request)
        return answered(Examples(examples=editor.examples()))

    async def lint(self, request: Request) -> Response:
        visitor = self._door.visitor(request)
        _check(request, visitor)
        text = (await body(request, Text)).text
        return answered(editor.linted(text, with_files=visitor.site.mode != "team"))

    async def _session(self, visitor: Visitor) -> Response:
        site = visitor.site
        return answered(
            Session(
                mode=site.mode,
                user=await site.user(),
                place=site.place,
                namespace=site.namespace,
                namespaces=await site.namespaces(),
                rights=await site.rights(site.namespace),
                csrf=visitor.csrf,
                version=version("mlworkflow"),
                content_origin=self._content_origin,
            )
        )

    def _reading(self, view: Callable[[Visitor, Query], Awaitable[Any]]) -> Endpoint:
        async def read(request: Request) -> Response:
            found = await view(self._door.visitor(request), Query(request))
            return found if isinstance(found, Response) else answered(found)

        return read

    def _hearing(self, view: Callable[[Visitor, Query], Events]) -> Endpoint:
        async def hear(request: Request) -> Response:
            return streamed(view(self._door.visitor(request), Query(request)))

        return hear

    def _doing(self, act: Callable[[Look, Any], Awaitable[Done]], type_: type[T]) -> Endpoint:
        async def do(request: Request) -> Response:
            visitor = self._door.visitor(request)
            _check(request, visitor)
            asked = await body(request, type_)
            for name in ("run", "name"):
                if value := getattr(asked, name, ""):
                    checked_name(value, name)
            if namespace := getattr(asked, "namespace", ""):
                checked_namespace(namespace)
            return answered(await act(visitor.look, asked))

        return do


def _check(request: Request, visitor: Visitor) -> None:
    """Raises Refusal for what the page itself has not asked for."""
    if not hmac.compare_digest(request.headers.get(CSRF, "").encode(), visitor.csrf.encode()):
        raise Refusal(NOT_ALLOWED, f"the header {CSRF} is not what the session says", "load the page again")


def _route(path: str, endpoint: Endpoint, method: str = "GET") -> Route:
    async def guarded(request: Request) -> Response:
        try:
            return await endpoint(request)
        except UserError as error:
            problem = problem_of(error)
            return answered(problem, problem.status)
        except Exception:
            _log.exception("%s %s", request.method, request.url.path)
            problem = Problem(status=500, message="something went wrong in the page's server", hint="its log says what")
            return answered(problem, 500)

    return Route(f"{API}/{path}", guarded, methods=[method])


async def _nothing(request: Request) -> Response:
    return answered(Problem(status=404, message=f"there is no {request.url.path}"), 404)
