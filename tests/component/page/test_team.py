"""The page for a team: who signs in sees and does what the cluster lets them, by their own token; with a small API server and a small identity provider."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
import uvicorn
from aiohttp import ClientSession, CookieJar, web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric import rsa
from mlworkflow.ui.__main__ import team_app

GROUP = "/apis/mlworkflow.io/v1alpha1"
ANN, BEN, NOBODY = "token-of-ann", "token-of-ben", "token-of-nobody"
RIGHTS = {ANN: ("ann", {"", "red", "blue"}), BEN: ("ben", {"blue"}), NOBODY: ("nobody", set[str]())}


class Api:
    """An API server with a workflow in each of two namespaces. `users` is token → (name, namespaces whose workflows are theirs to see; empty: all)."""

    def __init__(self) -> None:
        self.users = dict(RIGHTS)
        self.tokens_seen: set[str] = set()

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self.known])
        app.router.add_post("/apis/authentication.k8s.io/v1/selfsubjectreviews", self.who)
        app.router.add_post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", self.may)
        app.router.add_get(f"{GROUP}/mlworkflows", self.workflows)
        app.router.add_get(f"{GROUP}/namespaces/{{namespace}}/mlworkflows", self.workflows)
        app.router.add_get(f"{GROUP}/namespaces/{{namespace}}/mlworkflows/{{name}}", self.workflow)
        app.router.add_get("/api/v1/namespaces", self.forbidden)
        app.router.add_get("/api/v1/namespaces/{namespace}/events", self.events)
        return app

    @web.middleware
    async def known(self, request: web.Request, handler: Any) -> web.StreamResponse:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.tokens_seen.add(token)
        if token not in self.users:
            return _status(401, "Unauthorized", "who is this?")
        return await handler(request)

    def _user(self, request: web.Request) -> tuple[str, set[str]]:
        return self.users[request.headers["Authorization"].removeprefix("Bearer ")]

    async def who(self, request: web.Request) -> web.Response:
        return web.json_response({"status": {"userInfo": {"username": self._user(request)[0]}}}, status=201)

    async def may(self, request: web.Request) -> web.Response:
        asked = (await request.json())["spec"]["resourceAttributes"]
        allowed = asked["namespace"] in self._user(request)[1] and self._user(request)[0] == "ann"
        return web.json_response({"status": {"allowed": allowed}}, status=201)

    async def workflows(self, request: web.Request) -> web.StreamResponse:
        namespace = request.match_info.get("namespace", "")
        if namespace not in self._user(request)[1]:
            return _status(403, "Forbidden", f'cannot list mlworkflows in "{namespace or "all"}"')
        if request.query.get("watch"):
            response = web.StreamResponse()
            await response.prepare(request)
            with contextlib.suppress(ConnectionError):
                await asyncio.sleep(60)
            return response
        items = [_workflow(each) for each in ("red", "blue") if namespace in ("", each)]
        return web.json_response({"metadata": {"resourceVersion": "7"}, "items": items})

    async def workflow(self, request: web.Request) -> web.Response:
        if request.match_info["namespace"] not in self._user(request)[1]:
            return _status(403, "Forbidden", "cannot get mlworkflows")
        return web.json_response(_workflow(request.match_info["namespace"]))

    async def events(self, request: web.Request) -> web.Response:
        return web.json_response({"metadata": {}, "items": []})

    async def forbidden(self, request: web.Request) -> web.Response:
        return _status(403, "Forbidden", "cannot list namespaces")


class Identities:
    """An identity provider: whoever comes is Ann, whose ID token the API server accepts. `kid` is the key that it publishes."""

    def __init__(self, api: Api) -> None:
        self._api, self._key, self.kid = api, rsa.generate_private_key(public_exponent=65537, key_size=2048), "one"
        self.url, self._asked = "", dict[str, dict[str, str]]()
        self.nonce: str | None = None
        self.lives = 3600.0
        self.renewals = 0

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/.well-known/openid-configuration", self.about)
        app.router.add_get("/authorize", self.authorize)
        app.router.add_get("/keys", self.keys)
        app.router.add_post("/token", self.token)
        return app

    async def about(self, request: web.Request) -> web.Response:
        ways = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
        return web.json_response({"issuer": self.url, **{name: f"{self.url}/{path}" for name, path in ways.items()}})

    async def authorize(self, request: web.Request) -> web.Response:
        code = f"code-{len(self._asked)}"
        self._asked[code] = dict(request.query)
        target = f"{request.query['redirect_uri']}?code={code}&state={request.query['state']}"
        return web.Response(status=302, headers={"Location": target})

    async def keys(self, request: web.Request) -> web.Response:
        key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key()))
        return web.json_response({"keys": [{**key, "kid": self.kid, "use": "sig", "alg": "RS256"}]})

    async def token(self, request: web.Request) -> web.Response:
        form = await request.post()
        nonce = None
        if form["grant_type"] == "authorization_code":
            asked = self._asked.pop(str(form["code"]))
            digest = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
            assert asked["code_challenge"] == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            nonce = asked["nonce"]
        else:
            self.renewals += 1
        now = int(time.time())
        claims = {"iss": self.url, "aud": "page", "sub": "ann", "iat": now, "exp": now + int(self.lives), "nonce": self.nonce or nonce, "n": self.renewals}  # fmt: skip
        token = jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": "one"})
        self._api.users[token] = RIGHTS[ANN]
        return web.json_response({"id_token": token, "refresh_token": "again", "access_token": "x"})


def _workflow(namespace: str) -> dict[str, Any]:
    metadata = {"name": f"of-{namespace}", "namespace": namespace, "uid": f"uid-{namespace}", "resourceVersion": "5", "creationTimestamp": "2026-01-01T00:00:00Z"}  # fmt: skip
    spec = {"steps": [{"name": "one", "container": {"image": "a", "command": ["true"]}}]}
    return {
        "apiVersion": "mlworkflow.io/v1alpha1",
        "kind": "MLWorkflow",
        "metadata": metadata,
        "spec": spec,
        "status": {"phase": "Succeeded"},
    }


def _status(code: int, reason: str, message: str) -> web.Response:
    return web.json_response({"kind": "Status", "code": code, "reason": reason, "message": message}, status=code)


class Browser:
    """One person's."""

    def __init__(self, session: ClientSession, origin: str) -> None:
        self._session, self.origin = session, origin

    async def get(self, path: str, **headers: str) -> tuple[int, Any]:
        async with self._session.get(f"{self.origin}/api/v1/{path}", headers=headers) as answer:
            return answer.status, await answer.json()

    async def post(self, path: str, body: Any, **headers: str) -> tuple[int, Any]:
        given = {"Origin": self.origin, **headers}
        async with self._session.post(f"{self.origin}/api/v1/{path}", json=body, headers=given) as answer:
            return answer.status, await answer.json()

    async def walk(self, url: str) -> tuple[int, str, str]:
        """A page that is opened: status, where it leads to, what it is."""
        async with self._session.get(url, allow_redirects=False) as answer:
            return answer.status, answer.headers.get("Location", ""), await answer.text()

    async def rows(self, query: str = "") -> tuple[list[str], list[int]]:
        """The names of runs, once all that can be seen is there, and the statuses of what cannot."""
        while True:
            _, page = await self.get(f"runs?{query}")
            if not page["isLoading"]:
                return sorted(row["id"] for row in page["rows"]), [each["status"] for each in page["problems"]]
            await asyncio.sleep(0.05)


@asynccontextmanager
async def team(api: Api, identities: Identities | None = None, **settings: str) -> AsyncIterator[Any]:
    """A server, and a function that gives browsers."""
    async with contextlib.AsyncExitStack() as stack:
        cluster = await stack.enter_async_context(TestServer(api.app()))
        port = socket.create_server(("127.0.0.1", 0))
        origin = f"http://127.0.0.1:{port.getsockname()[1]}"
        if identities:
            provider = await stack.enter_async_context(TestServer(identities.app()))
            identities.url = str(provider.make_url("")).rstrip("/")
            settings |= {"OIDC_ISSUER": identities.url, "OIDC_CLIENT_ID": "page", "URL": origin}
        environ = {"MLWF_UI_API_SERVER": str(cluster.make_url("")).rstrip("/"), **{f"MLWF_UI_{name}": value for name, value in settings.items()}}  # fmt: skip
        server = uvicorn.Server(uvicorn.Config(team_app(environ), log_level="error", timeout_graceful_shutdown=1))
        serving = asyncio.create_task(server._serve([port]))

        async def browser() -> Browser:
            session = await stack.enter_async_context(ClientSession(cookie_jar=CookieJar(unsafe=True)))
            return Browser(session, origin)

        try:
            yield browser
        finally:
            server.should_exit = True
            await serving


async def test_who_has_no_session_is_told_how_to_get_one() -> None:
    async with team(Api()) as browser:
        stranger = await browser()
        assert (await stranger.get("session"))[0] == 401
        status, ways = await stranger.get("sign-in")
        assert (status, ways["isNeeded"], ways["ways"]) == (200, True, ["token"])
        for token in ("no-such-token", "", "two words", "a" * 20_000):
            assert (await stranger.post("sign-in", {"token": token}))[0] == 401
        assert (await stranger.post("sign-in", {"token": ANN}, Origin="http://attacker.example"))[0] == 403
        assert (await stranger.get("runs"))[0] == 401


async def test_everybody_sees_what_the_cluster_shows_them() -> None:
    api = Api()
    async with team(api, NAMESPACES="red,blue") as browser:
        ann, ben = await browser(), await browser()
        status, session = await ann.post("sign-in", {"token": ANN})
        assert (status, session["mode"], session["user"]) == (200, "team", "ann")
        assert (await ben.post("sign-in", {"token": BEN}))[1]["user"] == "ben"
        assert await ann.rows() == (["of-blue", "of-red"], [])
        assert await ben.rows() == (["of-blue"], [403])
        assert (await ann.get("run?namespace=red&run=of-red"))[0] == 200
        assert await ann.get("run/happened?namespace=red&run=of-red") == (200, {"events": []})
        status, problem = await ben.get("run?namespace=red&run=of-red")
        assert (status, "not allowed" in problem["message"]) == (403, True)
        assert (await ben.get("rights?namespace=blue"))[1]["may"] == []
        assert "submit" in (await ann.get("rights?namespace=blue"))[1]["may"]
        assert api.tokens_seen <= {ANN, BEN}  # the server has nothing to say of its own


async def test_who_may_see_nothing_is_told_so() -> None:
    async with team(Api(), NAMESPACES="red") as browser:
        nobody = await browser()
        assert (await nobody.post("sign-in", {"token": NOBODY}))[0] == 200
        rows, problems = await nobody.rows()
        assert (rows, set(problems)) == ([], {403})


async def test_a_session_ends_when_it_is_left_and_changes_need_its_word() -> None:
    async with team(Api(), NAMESPACES="red,blue") as browser:
        ann = await browser()
        _, session = await ann.post("sign-in", {"token": ANN})
        which = {"namespace": "red", "run": "of-red"}
        assert (await ann.post("run/cancel", which))[0] == 403
        assert (await ann.post("run/cancel", which, **{"X-Mlwf-Csrf": session["csrf"]}))[0] == 409  # it has ended
        text = "apiVersion: mlworkflow.io/v1alpha1\nkind: MLWorkflow\nmetadata: {name: x}\nspec: {steps: [{name: a, python: {file: /etc/passwd}}]}\n"
        _, linted = await ann.post("lint", {"text": text}, **{"X-Mlwf-Csrf": session["csrf"]})
        assert not linted["isSound"]  # and nothing of this machine is read
        assert "root:" not in json.dumps(linted)
        assert (await ann.post("sign-out", {}, **{"X-Mlwf-Csrf": session["csrf"]}))[0] == 200
        assert (await ann.get("session"))[0] == 401


async def test_signing_in_with_a_provider() -> None:
    api = Api()
    identities = Identities(api)
    async with team(api, identities, NAMESPACES="red,blue") as browser:
        ann = await browser()
        assert (await ann.get("sign-in"))[1]["ways"] == ["oidc", "token"]
        status, there, _ = await ann.walk(f"{ann.origin}/api/v1/sign-in/oidc?back=/%23/run")
        assert status == 303
        asked = parse_qs(urlsplit(there).query)
        assert asked["code_challenge_method"] == ["S256"]
        _, back, _ = await ann.walk(there)
        status, home, _ = await ann.walk(back)
        assert (status, home) == (303, "/#/run")
        assert (await ann.get("session"))[1]["user"] == "ann"
        assert await ann.rows() == (["of-blue", "of-red"], [])
        assert (await ann.walk(back))[0] == 401  # an answer is good once


@pytest.mark.parametrize("wrong", ["browser", "nonce", "key", "back"])
async def test_an_answer_of_the_provider_that_is_not_sound_lets_nobody_in(wrong: str) -> None:
    api = Api()
    identities = Identities(api)
    async with team(api, identities) as browser:
        ann = await browser()
        _, there, _ = await ann.walk(f"{ann.origin}/api/v1/sign-in/oidc?back=//attacker.example")
        identities.nonce = "another" if wrong == "nonce" else None
        identities.kid = "two" if wrong == "key" else "one"
        _, back, _ = await ann.walk(there)
        opener = await browser() if wrong == "browser" else ann
        status, home, _ = await opener.walk(back)
        assert (status, home) == ((303, "/") if wrong == "back" else (401, ""))


async def test_a_token_of_a_provider_is_renewed_before_it_ends() -> None:
    api = Api()
    identities = Identities(api)
    identities.lives = 30.0  # which is about to end
    async with team(api, identities, NAMESPACES="red,blue") as browser:
        ann = await browser()
        _, there, _ = await ann.walk(f"{ann.origin}/api/v1/sign-in/oidc")
        _, back, _ = await ann.walk(there)
        assert (await ann.walk(back))[0] == 303
        assert (await ann.get("run?namespace=red&run=of-red"))[0] == 200
        assert identities.renewals > 0
