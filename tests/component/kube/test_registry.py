"""What tags mean, by the word of a real registry, in the open and behind tokens."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from mlworkflow.kube.auth import FixedAuth
from mlworkflow.kube.backoff import Backoff
from mlworkflow.kube.client import KubeClient
from mlworkflow.kube.config import ClusterConfig
from mlworkflow.kube.image_names import ImageName
from mlworkflow.kube.images import Images, Meaning
from mlworkflow.kube.pull_secrets import PullSecrets
from mlworkflow.kube.registry import AWAY, KEPT, Registries

from tests.component.servers import free_port, registry

OTHER = f"sha256:{'b' * 64}"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


def sha(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with registry(tmp_path_factory.mktemp("registry")) as found:
        yield found


@pytest.fixture
def clock() -> Clock:
    return Clock()


@asynccontextmanager
async def asking(*hosts: str, clock: Clock | None = None, patience: float = 3.0) -> AsyncIterator[Registries]:
    registries = Registries(frozenset(hosts), clock=clock or Clock(), patience=patience)
    try:
        yield registries
    finally:
        await registries.close()


async def pushed(host: str, path: str, tag: str, content: str, kind: str = MANIFEST, **document: Any) -> str:
    """Push a manifest; its digest."""
    config = content.encode()
    async with ClientSession(f"http://{host}") as session:
        async with session.post(f"/v2/{path}/blobs/uploads/?digest={sha(config)}", data=config) as answer:
            assert answer.status == 201, await answer.text()
        own = {"config": {"mediaType": "application/json", "digest": sha(config), "size": len(config)}, "layers": []}
        manifest = json.dumps({"schemaVersion": 2, "mediaType": kind, **(document or own)}).encode()
        headers = {"Content-Type": kind}
        async with session.put(f"/v2/{path}/manifests/{tag}", data=manifest, headers=headers) as answer:
            assert answer.status == 201, await answer.text()
    return sha(manifest)


def name(host: str, path: str, tag: str = "1") -> ImageName:
    return ImageName(host, path, tag)


async def test_a_tag_that_has_not_been_moved_means_the_same_and_one_that_has_does_not(host: str, clock: Clock) -> None:
    first = await pushed(host, "team/moved", "1", "one")
    async with asking(host, clock=clock) as registries:
        images = Images("IfNotPresent", registries)
        image = f"{host}/team/moved:1"
        images.report(image, first)
        assert await images.meaning(image) == Meaning(first)
        second = await pushed(host, "team/moved", "1", "two")
        assert await images.meaning(image) == Meaning(first), "an answer holds for a minute"
        clock.now += KEPT
        assert await images.meaning(image) == Meaning(second)


async def test_a_tag_that_is_pulled_each_time_is_known_too(host: str) -> None:
    digest = await pushed(host, "team/always", "1", "x")
    async with asking(host) as registries:
        assert await Images("Always", registries).meaning(f"{host}/team/always:1") == Meaning(digest)


async def test_a_registry_that_is_away_leaves_the_kubelet_s_word(clock: Clock) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    image = f"{nobody}/x:1"
    async with asking(nobody, clock=clock) as registries:
        images = Images("IfNotPresent", registries)
        why = (await images.meaning(image)).why
        assert (
            why
            == f"no Pod has run it yet, and its name has no digest in it; {nobody}: no answer (ClientConnectorError)"
        )
        images.report(image, OTHER)
        assert await images.meaning(image) == Meaning(OTHER)
        assert "pulled anew each time" in (await Images("Always", registries).meaning(image)).why


async def test_one_that_did_not_answer_is_left_alone_for_a_while(clock: Clock) -> None:
    asked: list[str] = []

    async def slow(request: web.Request) -> web.Response:
        asked.append(request.path)
        await asyncio.sleep(60)
        return web.Response()

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", slow)
    server = TestServer(app)
    await server.start_server(shutdown_timeout=0)
    there = f"127.0.0.1:{server.port}"
    try:
        async with asking(there, clock=clock, patience=0.3) as registries:
            assert (await registries.resolve(name(there, "a"))).why == f"{there}: no answer (TimeoutError)"
            assert "a moment ago" in (await registries.resolve(name(there, "b"))).why
            clock.now += AWAY
            await registries.resolve(name(there, "b"))
        assert asked == ["/v2/a/manifests/1", "/v2/b/manifests/1"]
    finally:
        await server.close()


async def test_what_is_not_there_is_told(host: str) -> None:
    async with asking(host) as registries:
        assert (await registries.resolve(name(host, "team/nothing"))).why == f"{host}: it has no such image"


async def test_an_index_is_known_by_the_platform_that_a_runtime_names(host: str, clock: Clock) -> None:
    config = b"linux"
    one = await pushed(host, "team/many", "linux", config.decode())
    entry = {"mediaType": MANIFEST, "digest": one, "size": 1, "platform": {"os": "linux", "architecture": "amd64"}}
    index = await pushed(host, "team/many", "1", "x", INDEX, manifests=[entry])
    async with asking(host, clock=clock) as registries:
        images, image = Images("IfNotPresent", registries), f"{host}/team/many:1"
        assert await images.meaning(image) == Meaning(index)
        images.report(image, one)
        assert await images.meaning(image) == Meaning(one)
        images.report(image, OTHER)
        assert await images.meaning(image) == Meaning(index)
        images.report(f"{host}/team/many:linux", sha(config))
        assert await images.meaning(f"{host}/team/many:linux") == Meaning(sha(config)), "by its configuration"


class Gate:
    """Stands before a registry, and lets nobody in without a token, or with `scheme` Basic without a password."""

    def __init__(self, behind: str, scheme: str = "Bearer") -> None:
        self._behind, self._scheme = behind, scheme
        self.asked: list[str] = []
        self.realm = ""
        self.token: dict[str, Any] = {"token": "pass-me"}
        self.open_to_all = False

    @asynccontextmanager
    async def served(self) -> AsyncIterator[str]:
        app = web.Application()
        app.router.add_get("/token", self._give)
        app.router.add_route("*", "/v2/{path:.*}", self._pass)
        server = TestServer(app)
        await server.start_server(shutdown_timeout=0)
        self.realm = self.realm or str(server.make_url("/token"))
        try:
            yield f"127.0.0.1:{server.port}"
        finally:
            await server.close()

    async def _give(self, request: web.Request) -> web.Response:
        self.asked.append(f"token {request.query.get('scope')} {request.query.get('service')}")
        is_known = request.headers.get("Authorization") == f"Basic {base64.b64encode(b'ada:pw').decode()}"
        return web.json_response(self.token) if is_known or self.open_to_all else web.Response(status=401)

    async def _pass(self, request: web.Request) -> web.Response:
        self.asked.append(request.method)
        wanted = "Bearer pass-me" if self._scheme == "Bearer" else f"Basic {base64.b64encode(b'ada:pw').decode()}"
        if request.headers.get("Authorization") != wanted:
            more = f' realm="{self.realm}",service="the, registry",scope="repository:{request.path}:pull,push"'
            challenge = {"WWW-Authenticate": f"{self._scheme}{more}"}
            return web.Response(status=401, headers=challenge)
        url = f"http://{self._behind}{request.path}"
        headers = {"Accept": request.headers["Accept"]}
        async with ClientSession() as session, session.request(request.method, url, headers=headers) as answer:
            shown = {"Docker-Content-Digest": answer.headers["Docker-Content-Digest"]}
            return web.Response(body=await answer.read(), status=answer.status, headers=shown)


@pytest.mark.parametrize("scheme", ["Bearer", "Basic"])
async def test_a_private_one_is_asked_with_the_credentials_of_the_step(host: str, scheme: str) -> None:
    digest = await pushed(host, "team/private", "1", "x")
    gate = Gate(host, scheme)
    async with gate.served() as there, asking(there) as registries:
        image = name(there, "team/private")
        assert (await registries.resolve(image, ("ada", "pw"))).digest == digest
        tokens = ["token repository:team/private:pull the, registry"] if scheme == "Bearer" else []
        assert gate.asked == ["HEAD", *tokens, "HEAD"]
        assert (await registries.resolve(image)).why == f"{there}: it is private", "nobody else has that answer"
        refused = (await registries.resolve(image, ("ada", "no"))).why
        assert refused == f"{there}: it is private, and refuses the credentials of imagePullSecrets"


async def test_a_public_one_gives_a_token_to_everybody(host: str) -> None:
    digest = await pushed(host, "team/public", "1", "x")
    gate = Gate(host)
    gate.open_to_all, gate.token = True, {"access_token": "pass-me"}
    async with gate.served() as there, asking(there) as registries:
        assert (await registries.resolve(name(there, "team/public"))).digest == digest


async def test_many_who_ask_at_once_ask_once(host: str) -> None:
    digest = await pushed(host, "team/many-ask", "1", "x")
    gate = Gate(host)
    gate.open_to_all = True
    async with gate.served() as there, asking(there) as registries:
        answers = await asyncio.gather(*(registries.resolve(name(there, "team/many-ask")) for _ in range(50)))
        assert {answer.digest for answer in answers} == {digest}
        assert len(gate.asked) == 3


@pytest.mark.parametrize(
    "realm", ["http://169.254.169.254/latest", "http://127.0.0.1:1/x", "file:///etc/passwd", "", "x"]
)
async def test_a_stranger_does_not_send_the_operator_where_it_must_not_go(host: str, realm: str) -> None:
    gate = Gate(host)
    gate.realm = realm or " "
    async with gate.served() as there, asking(there) as registries:
        answer = await registries.resolve(name(there, "x"), ("ada", "pw"))
        assert (answer.digest, answer.why) == ("", f"{there}: its tokens come from where there is no https")


@pytest.mark.parametrize("there", ["127.0.0.1:5000", "localhost:5000", "169.254.169.254", "[::1]:5000"])
async def test_this_machine_and_its_link_are_no_registries_unless_they_are_named(there: str) -> None:
    async with asking() as registries:
        answer = await registries.resolve(name(there, "x"))
        words = "the host is a loopback or link-local address, which images.registry.insecure does not name"
        assert answer.why == f"{there}: {words}"


async def test_a_redirect_and_a_flood_are_no_answers(host: str) -> None:
    async def answer(request: web.Request) -> web.Response:
        if "/flood/" not in request.path:
            return web.Response(status=302, headers={"Location": f"http://{host}{request.path}"})
        if request.method == "HEAD":
            return web.Response(headers={"Docker-Content-Digest": OTHER})
        return web.Response(body=b" " * (5 << 20))

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    server = TestServer(app)
    await server.start_server(shutdown_timeout=0)
    there = f"127.0.0.1:{server.port}"
    try:
        async with asking(there) as registries:
            assert (await registries.resolve(name(there, "x"))).why == f"{there}: it answered 302"
            assert (await registries.resolve(name(there, "flood"), known=f"sha256:{'a' * 64}")).digest == OTHER
    finally:
        await server.close()


async def test_the_credentials_are_in_the_secrets_of_the_namespace(host: str, clock: Clock) -> None:
    digest = await pushed(host, "team/secret", "1", "x")
    gate = Gate(host)
    read: list[str] = []
    async with gate.served() as there:
        config = {"auths": {there: {"username": "ada", "password": "pw"}}}
        data = {".dockerconfigjson": base64.b64encode(json.dumps(config).encode()).decode()}

        async def secret(request: web.Request) -> web.Response:
            read.append(request.path)
            if request.path.endswith("/mine"):
                return web.json_response({"data": data})
            return web.json_response({"kind": "Status", "reason": "Forbidden", "message": "no"}, status=403)

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", secret)
        async with TestServer(app) as server, asking(there, clock=clock) as registries:
            cluster = ClusterConfig(str(server.make_url("/")).rstrip("/"), None, FixedAuth())
            async with KubeClient(cluster, backoff=Backoff(base=0.001, cap=0.002, attempts=1)) as client:
                images = Images("IfNotPresent", registries, PullSecrets(client, clock))
                image = f"{there}/team/secret:1"
                for _ in range(3):
                    assert await images.meaning(image, "ns", ["other", "mine"]) == Meaning(digest)
                assert "it is private" in (await images.meaning(image, "ns", ["other"])).why
                closed = Images("IfNotPresent", registries)
                assert "it is private" in (await closed.meaning(image, "ns", ["mine"])).why
    assert read == ["/api/v1/namespaces/ns/secrets/other", "/api/v1/namespaces/ns/secrets/mine"]
