"""What a registry says that a tag means: the digest of its manifest, by the API that all registries have.

A registry is named by a workflow, so it is treated as a stranger: it is asked by https (but for those that the installation names), never at this
machine's own or its link's addresses, no redirect is followed, little is read, and it has seconds to answer. An answer holds for a minute; a registry
that does not answer is left alone for five. Source: https://github.com/opencontainers/distribution-spec, and for tokens
https://distribution.github.io/distribution/spec/auth/token/.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.request import parse_http_list, parse_keqv_list

import aiohttp
import orjson
from yarl import URL

from mlworkflow.engine.addresses import Guard, TargetRefused
from mlworkflow.kube.image_names import ImageName

_log = logging.getLogger(__name__)
KEPT = 60.0
"""Seconds that an answer holds."""
AWAY = 300.0
"""Seconds that a registry which did not answer is not asked again."""
PATIENCE = 3.0
"""Seconds for one question, its token included."""
MOST = 1024
"""Answers that are kept."""
AT_ONCE = 8
LARGEST = 4 << 20
"""Bytes of a manifest, as the specification bounds them."""
_INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
_MANIFESTS = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
ACCEPT = ", ".join((*_INDEXES, *_MANIFESTS))
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
Credentials = tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class Answer:
    """`digest` of the manifest that the tag means, or `why` it is not known. `parts` are the digests in it, where they were asked for."""

    digest: str = ""
    parts: frozenset[str] = frozenset()
    why: str = ""


class _Unknown(Exception):
    """The registry gives no digest; the message says why."""


class Registries:
    """Asks; `insecure` are hosts (with their ports) that speak http, and may be anywhere. Close it in the end. `clock` gives seconds."""

    def __init__(
        self, insecure: frozenset[str], *, clock: Callable[[], float] = time.monotonic, patience: float = PATIENCE
    ) -> None:
        self._insecure = insecure
        self._guard = Guard(
            frozenset(URL(f"http://{host}").host or host for host in insecure), "images.registry.insecure"
        )
        self._clock, self._patience = clock, patience
        self._kept: OrderedDict[tuple[ImageName, Credentials, str], tuple[float, asyncio.Task[Answer]]] = OrderedDict()
        self._away: dict[str, float] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._session: aiohttp.ClientSession | None = None

    async def resolve(self, image: ImageName, credentials: Credentials = None, known: str = "") -> Answer:
        """What the tag of an image means now, or did within the last minute: `known`, where that is another name of the same.

        Runtimes name an image by the digest of its platform's manifest or of its configuration too. Never raises.
        """
        answer = await self._shared(image, credentials, "")
        if answer.digest and known not in ("", answer.digest):
            inside = await self._shared(image, credentials, answer.digest)
            if known in inside.parts:
                return Answer(known)
        return answer

    async def _shared(self, image: ImageName, credentials: Credentials, digest: str) -> Answer:
        """The answer for the tag, or with a `digest` for what is in it. Whoever asks at the same time waits for the same one."""
        key, now = (image, credentials, digest), self._clock()
        until, asked = self._kept.get(key, (0.0, None))
        if asked is None or now >= until:
            asked = asyncio.create_task(self._ask(image, credentials, digest))
            self._kept[key] = (now + KEPT, asked)
            self._kept.move_to_end(key)
            while len(self._kept) > MOST:
                self._kept.popitem(last=False)
        return await asyncio.shield(asked)

    async def close(self) -> None:
        tasks = [task for _, task in self._kept.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session:
            await self._session.close()

    async def _ask(self, image: ImageName, credentials: Credentials, digest: str) -> Answer:
        """What an error says of itself may quote a URL: its type says enough."""
        if self._clock() < self._away.get(image.host, 0.0):
            return Answer(why=f"{image.host} did not answer a moment ago")
        try:
            async with self._slots, asyncio.timeout(self._patience):
                return await self._answer(image, credentials, digest)
        except (_Unknown, TargetRefused) as error:
            why = str(error)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            refusal = error.__cause__ or error.__context__
            why = str(refusal) if isinstance(refusal, TargetRefused) else f"no answer ({type(error).__name__})"
            self._away[image.host] = self._clock() + AWAY
        _log.info("registry=%s image=%s: %s", image.host, image.path, why)
        return Answer(why=f"{image.host}: {why}")

    async def _answer(self, image: ImageName, credentials: Credentials, digest: str) -> Answer:
        method, reference = (
            ("GET", digest) if digest else ("HEAD", image.tag)
        )  # a HEAD does not count against a limit on pulls
        status, headers, body = await self._manifest(method, image, reference, {})
        if status == 401:
            authorization = await self._authorized(image, headers.get("WWW-Authenticate", ""), credentials)
            status, headers, body = await self._manifest(method, image, reference, authorization)
        if status != 200:
            raise _Unknown(_words(status, credentials))
        if digest:
            return Answer(digest, _parts(body))
        found = headers.get("Docker-Content-Digest", "")
        if not _DIGEST.fullmatch(found):
            raise _Unknown("it names no digest")
        return Answer(found)

    async def _manifest(
        self, method: str, image: ImageName, reference: str, authorization: Mapping[str, str]
    ) -> tuple[int, Mapping[str, str], bytes]:
        url = URL(f"{self._scheme(image.host)}://{image.host}/v2/{image.path}/manifests/{reference}")
        self._check(url)
        async with self._opened().request(
            method, url, headers={"Accept": ACCEPT, **authorization}, allow_redirects=False
        ) as response:
            return response.status, response.headers, await _read(response) if method == "GET" else b""

    async def _authorized(self, image: ImageName, challenge: str, credentials: Credentials) -> dict[str, str]:
        """The headers that answer a challenge."""
        scheme, _, rest = challenge.partition(" ")
        basic = _basic(*credentials) if credentials else {}
        if scheme.lower() == "basic" and basic:
            return basic
        if scheme.lower() != "bearer":
            raise _Unknown(_words(401, credentials))
        asked = parse_keqv_list(parse_http_list(rest))
        realm = URL(asked.get("realm", ""))
        if realm.scheme != "https" and self._host(realm) not in self._insecure:
            raise _Unknown("its tokens come from where there is no https")
        self._check(realm)
        query = {"service": asked.get("service", ""), "scope": f"repository:{image.path}:pull"}
        async with self._opened().get(realm.update_query(query), headers=basic, allow_redirects=False) as response:
            if response.status != 200:
                raise _Unknown(_words(response.status, credentials))
            said = orjson.loads(await _read(response))
        token = said.get("token") or said.get("access_token") if isinstance(said, dict) else None
        if not isinstance(token, str) or not re.fullmatch(r"[\x21-\x7e]+", token):
            raise _Unknown("it gives no token")
        return {"Authorization": f"Bearer {token}"}

    def _scheme(self, host: str) -> str:
        return "http" if host in self._insecure else "https"

    @staticmethod
    def _host(url: URL) -> str:
        return url.authority

    def _check(self, url: URL) -> None:
        """Raises TargetRefused. A name is looked at once it has been looked up."""
        self._guard.check(url.host or "", url.host or "")

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = self._guard.session(AT_ONCE)
        return self._session


def _basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """A body, which is not allowed to be large."""
    data = await response.content.read(LARGEST + 1)
    while len(data) <= LARGEST and (more := await response.content.read(LARGEST + 1)):
        data += more
    if len(data) > LARGEST:
        raise _Unknown("it says too much")
    return data


def _parts(body: bytes) -> frozenset[str]:
    """The digests of an index's manifests, or of a manifest's configuration."""
    try:
        document: Any = orjson.loads(body)
        named = [*document.get("manifests", []), document.get("config") or {}]
        return frozenset(str(one["digest"]) for one in named if "digest" in one)
    except (orjson.JSONDecodeError, AttributeError, TypeError, KeyError):
        return frozenset()


def _words(status: int, credentials: Credentials) -> str:
    if status in (401, 403):
        return "it is private" + (", and refuses the credentials of imagePullSecrets" if credentials else "")
    return "it has no such image" if status == 404 else f"it answered {status}"
