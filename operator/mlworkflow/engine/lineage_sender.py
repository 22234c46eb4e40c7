"""Sends OpenLineage events to one endpoint: in order, in the background, never at a workflow's cost.

What waits is bounded; what does not fit, or is not taken after a few tries, is dropped with a line in the log. The endpoint is the operator's (or the user's)
own choice, so any address is called. Neither the key nor the URL's path or query ever reaches a log.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Self

import aiohttp
from yarl import URL

from mlworkflow.core.errors import UsageError
from mlworkflow.engine import openlineage
from mlworkflow.engine.openlineage import Event
from mlworkflow.engine.telling import Turned

_log = logging.getLogger(__name__)
PATH = "api/v1/lineage"
ROOM = 10_000
TRIES = 5
TIMEOUT = aiohttp.ClientTimeout(total=10.0)
PATIENCE = 10.0
"""Seconds that a local run waits in the end for what is still to be sent."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where events go, and under which `namespace` (empty: that of the workflow). The key is text, or a file that is read for every event."""

    url: URL
    namespace: str = ""
    key: str = field(default="", repr=False)
    key_file: Path | None = None

    @classmethod
    def of(cls, url: str, path: str = "", namespace: str = "", key: str = "", key_file: Path | None = None) -> Self:
        """Raises UsageError where the URL is none."""
        try:
            base = URL(url)
        except ValueError:
            base = URL()
        if base.scheme not in ("http", "https") or not base.host:
            raise UsageError("the URL for OpenLineage must begin with http:// or https:// and name a host")
        base = base if base.path.endswith("/") else base.with_path(base.path + "/")
        return cls(base.join(URL((path or PATH).lstrip("/"))), namespace, key, key_file)

    @classmethod
    def find(cls, environ: Mapping[str, str]) -> Self | None:
        """What OpenLineage's own variables say; None where they name no endpoint, or all is disabled."""
        url = environ.get("OPENLINEAGE_URL", "")
        if not url or environ.get("OPENLINEAGE_DISABLED", "").lower() in ("true", "1"):
            return None
        path, namespace, key = (environ.get(f"OPENLINEAGE_{name}", "") for name in ("ENDPOINT", "NAMESPACE", "API_KEY"))
        return cls.of(url, path, namespace, key)

    def headers(self) -> dict[str, str]:
        """Raises OSError where the key cannot be read."""
        key = self.key_file.read_text().strip() if self.key_file else self.key
        return {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}


class LineageSender:
    """`clock` gives seconds since the epoch. Close it in the end."""

    def __init__(
        self,
        endpoint: Endpoint,
        clock: Callable[[], float],
        *,
        room: int = ROOM,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._endpoint, self._clock, self._room, self._sleep = endpoint, clock, room, sleep
        self._version = version("mlworkflow")
        self._waiting: deque[Event] = deque()
        self._dropped = 0
        self._sending: asyncio.Task[None] | None = None

    def tell(self, turned: Turned) -> None:
        """A turn has changed a run. Returns at once, and raises nothing."""
        workflow = turned.plan.workflow
        namespace = self._endpoint.namespace or workflow.namespace
        try:
            events = openlineage.changes(turned, namespace, self._version, self._clock())
        except Exception:
            _log.exception("%s: no lineage: a bug", workflow.subject())
            return
        fitting = events[: max(0, self._room - len(self._waiting))]
        self._waiting.extend(fitting)
        if len(fitting) < len(events):
            if not self._dropped:
                _log.warning("lineage: %d events wait for %s; more are dropped", self._room, self._endpoint.url.host)
            self._dropped += len(events) - len(fitting)
        if self._waiting and (self._sending is None or self._sending.done()):
            self._sending = asyncio.create_task(self._send_all(), name="lineage")

    async def close(self, patience: float = 0.0) -> None:
        """Stop, after at most `patience` seconds for what is still to be sent."""
        if self._sending:
            _, late = await asyncio.wait([self._sending], timeout=patience)
            if late:
                self._sending.cancel()
                await asyncio.wait([self._sending])
                _log.warning("lineage: %d events were not sent", len(self._waiting))

    async def _send_all(self) -> None:
        while self._waiting:  # also for what came while a session was being closed
            async with aiohttp.ClientSession(
                timeout=TIMEOUT, cookie_jar=aiohttp.DummyCookieJar(), headers={"User-Agent": "mlworkflow"}
            ) as session:
                while self._waiting:
                    await self._send_first(session)

    async def _send_first(self, session: aiohttp.ClientSession) -> None:
        event = self._waiting[0]
        if trouble := await self._send(session, event):
            host, job = self._endpoint.url.host, event["job"]["name"]
            _log.warning("lineage: %s of %s is dropped: %s: %s", event["eventType"], job, host, trouble)
        self._waiting.popleft()
        if self._dropped and len(self._waiting) < self._room // 2:
            _log.warning("lineage: %d events were dropped", self._dropped)
            self._dropped = 0

    async def _send(self, session: aiohttp.ClientSession, event: Event) -> str:
        """Try a few times; what the trouble is, in words that hold no part of the URL. Empty: it was taken."""
        trouble = ""
        for again in range(TRIES):
            if again:
                await self._sleep(2.0 ** (again - 1))
            try:
                async with session.post(
                    self._endpoint.url,
                    data=json.dumps(event, ensure_ascii=False).encode(),
                    headers=self._endpoint.headers(),
                    allow_redirects=False,
                ) as response:
                    if response.status < 300:
                        return ""
                    trouble = f"answered {response.status}"
                    if response.status != 429 and response.status < 500:
                        return trouble
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
                trouble = f"no answer ({type(error).__name__})"
        return trouble
