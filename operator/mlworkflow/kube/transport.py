"""How requests reach the API server: one pool of connections, one `Auth`, bounded, counted, repeated where safe.

At most `limit` requests are in flight. Streams (watches, followed logs) last for hours, so they do not count.
`client.KubeClient` puts the verbs of Kubernetes on top; the sessions that are handed to kopf share the pool and the
credentials.
"""

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import BinaryIO, NamedTuple, TypeAlias

import aiohttp
from yarl import URL

from mlworkflow.kube.backoff import Backoff
from mlworkflow.kube.clock import Clock
from mlworkflow.kube.config import ClusterConfig
from mlworkflow.kube.errors import ApiError, Throttled, Unavailable, error_from_response, no_answer
from mlworkflow.kube.paths import resource_of

Params = Mapping[str, str | int]

JSON = "application/json"
CONNECT_TIMEOUT = 10.0
UNHEARD = 2.0
"""Seconds that a member of several has at most between its last write and the moment that others take over (`members.membership.Terms`)."""


class RequestKey(NamedTuple):
    """What requests are counted by; `code` is the HTTP status, 0 for requests without an answer."""

    verb: str
    resource: str
    code: int


OnAnswer: TypeAlias = Callable[[RequestKey, float, int], None]
"""Hears of an attempt: what it was, how many seconds it took, how many bytes its body had."""


@dataclass(frozen=True, slots=True)
class ClientStatistics:
    """A snapshot: attempts since the start by verb, resource and code; how many were repetitions; how many run now."""

    requests: Mapping[RequestKey, int]
    retries: int
    in_flight: int

    def total(self, verb: str | None = None, resource: str | None = None) -> int:
        """How many attempts there were, of one verb and about one resource if these are given."""
        return sum(
            count
            for key, count in self.requests.items()
            if verb in (None, key.verb) and resource in (None, key.resource)
        )


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it goes over the wire; `verb` is what it counts as, `repeatable` that doing it twice is harmless."""

    method: str
    path: str
    verb: str
    repeatable: bool
    params: Params | None = None
    body: bytes | None = None
    content_type: str = JSON
    headers: Mapping[str, str] | None = None


def retry_delay(error: ApiError, failures: int, backoff: Backoff, *, repeatable: bool) -> float | None:
    """Seconds until a request may be repeated after its `failures`-th failure, or None if it must not be.

    A throttled request was not carried out, so it may always be repeated; but a long wait is the caller's to arrange,
    whose worker has better things to do. Whether an unanswered request was carried out is unknown.
    """
    if failures >= backoff.attempts:
        return None
    delay = backoff.delay(failures)
    match error:
        case Throttled(retry_after=float() | int() as asked):
            return max(delay, float(asked)) if asked <= backoff.cap else None
        case Throttled():
            return delay
        case Unavailable() if repeatable:
            return delay
        case _:
            return None


def _impatient(address: aiohttp.AddrInfoType) -> socket.socket:
    """A socket that gives up what has not arrived for `UNHEARD` seconds: what is written does not arrive long after its writer was given up."""
    made = socket.socket(*address[:3])
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(1000 * UNHEARD))
    return made


class Transport:
    """Make one inside a running event loop. `timeout` is for one attempt, in seconds; `on_answer` hears of each attempt that is no stream. Where there is
    `is_fenced`, nothing is written while it says so, nor arrives much later."""

    def __init__(
        self,
        config: ClusterConfig,
        *,
        limit: int,
        timeout: float,
        backoff: Backoff,
        clock: Clock,
        on_answer: OnAnswer = lambda key, seconds, sent: None,
        is_fenced: Callable[[], bool] | None = None,
    ) -> None:
        self._on_answer = on_answer
        self._is_fenced = is_fenced
        self.config = config
        self._origin = URL(config.server).origin()
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._backoff = backoff
        self._clock = clock
        self._slots = asyncio.Semaphore(limit)
        self._requests: Counter[RequestKey] = Counter()
        self._retries = 0
        self._in_flight = 0
        self._date: tuple[str, float] | None = None
        # The slots bound the requests; a limit here would let idle watches starve them.
        self._connector = aiohttp.TCPConnector(
            limit=0,
            ssl=config.ssl_context or True,
            keepalive_timeout=60.0,
            socket_factory=_impatient if is_fenced else None,
        )
        self._session = self.session()

    async def close(self) -> None:
        """Close all connections, also those of other sessions and open streams."""
        await self._session.close()
        await self._connector.close()

    def session(self) -> aiohttp.ClientSession:
        """A new session over the pool and the credentials; its owner may close it at any time, which hurts no other."""
        return aiohttp.ClientSession(
            connector=self._connector,
            connector_owner=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            # Compression costs both sides more than the network inside a cluster.
            headers={"User-Agent": "mlworkflow", "Accept": f"{JSON}, */*;q=0.1", "Accept-Encoding": "identity"},
            middlewares=(self._authenticated,),
            proxy=self.config.proxy,
            timeout=self._timeout,
        )

    def statistics(self) -> ClientStatistics:
        return ClientStatistics(MappingProxyType(dict(self._requests)), self._retries, self._in_flight)

    def server_date(self) -> tuple[str, float] | None:
        """The `Date` of the last answer (empty where it had none) and how many seconds ago it was true; None before any."""
        return self._date and (self._date[0], self._clock.now() - self._date[1])

    async def send(self, request: Request) -> bytes:
        """The body of the answer, after as many attempts as `retry_delay` allows. Raises ApiError."""
        failures = 0
        while True:
            try:
                async with self._slots:
                    return await self._attempt(request)
            except (Throttled, Unavailable) as error:
                failures += 1
                delay = retry_delay(error, failures, self._backoff, repeatable=request.repeatable)
                if delay is None:
                    raise
            self._retries += 1
            await self._clock.sleep(delay)

    async def upload(self, path: str, params: Params | None, headers: Mapping[str, str], file: BinaryIO) -> bytes:
        """PUT a file, once and for as long as it takes; the body of the answer. Raises ApiError."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT)
        code = 0
        try:
            async with self._session.put(
                self.config.server + path,
                params=params,
                headers=headers,
                data=file,
                timeout=timeout,
                allow_redirects=False,
            ) as response:
                code, body = response.status, await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise no_answer(error) from error
        finally:
            self._count("put", path, code)
        if code >= 300:
            raise error_from_response(code, body, response.headers.get("Retry-After"))
        return body

    @asynccontextmanager
    async def stream(
        self,
        verb: str,
        path: str,
        params: Params | None,
        inactivity: float | None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[aiohttp.StreamReader]:
        """The body of a GET as it comes; `inactivity` seconds without a byte are an error. Raises ApiError."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT, sock_read=inactivity)
        code = 0
        try:
            async with self._session.get(
                self.config.server + path, params=params, headers=headers, timeout=timeout, allow_redirects=False
            ) as response:
                code = response.status
                if code >= 300:
                    raise error_from_response(code, await response.read(), response.headers.get("Retry-After"))
                yield response.content
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise no_answer(error) from error
        finally:
            self._count(verb, path, code)

    async def _attempt(self, request: Request) -> bytes:
        if self._is_fenced and request.method != "GET" and self._is_fenced():
            raise Unavailable(0, "Fenced", "others may have taken over: nothing is written before the Lease is renewed")
        self._in_flight += 1
        code = 0
        sent = self._clock.now()
        try:
            async with self._session.request(
                request.method,
                self.config.server + request.path,
                params=request.params,
                data=request.body,
                headers={
                    **(request.headers or {}),
                    **({"Content-Type": request.content_type} if request.body is not None else {}),
                },
                allow_redirects=False,
            ) as response:
                self._date = response.headers.get("Date", ""), (sent + self._clock.now()) / 2
                body = await response.read()
                code = response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise no_answer(error) from error
        finally:
            self._in_flight -= 1
            key = self._count(request.verb, request.path, code)
            self._on_answer(key, self._clock.now() - sent, len(request.body or b""))
        if code >= 300:
            raise error_from_response(code, body, response.headers.get("Retry-After"))
        return body

    async def _authenticated(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Send our credentials, to our server alone; on 401, renew and send them once more."""
        if request.url.origin() != self._origin:
            return await handler(request)
        headers = await self.config.auth.headers()
        request.headers.update(headers)
        response = await handler(request)
        if response.status != 401:
            return response
        renewed = await self.config.auth.headers(rejected=headers)
        if renewed == headers:
            return response
        response.release()
        request.headers.update(renewed)
        return await handler(request)

    def _count(self, verb: str, path: str, code: int) -> RequestKey:
        key = RequestKey(verb, resource_of(path), code)
        self._requests[key] += 1
        return key
