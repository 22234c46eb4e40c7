"""Calls webhooks: a task for each that is owed, a note in the state when it has been delivered or given up.

A target is a URL that anyone who may write a workflow has chosen, so the operator does not call itself or its node for them: loopback and
link-local addresses (a cloud's metadata service) are refused, whatever name leads there. Neither a URL nor a header ever reaches a log.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
from msgspec.structs import replace
from yarl import URL

from mlworkflow.core.subject import Subject
from mlworkflow.engine import webhooks
from mlworkflow.engine.addresses import Guard, TargetRefused
from mlworkflow.engine.engine import Engine
from mlworkflow.engine.live import Live
from mlworkflow.engine.webhooks import Owed, Trouble

_log = logging.getLogger(__name__)
AT_ONCE = 16
TIMEOUT = aiohttp.ClientTimeout(total=15.0)


class WebhookSender:
    """`key_file` holds the master key. `allowed_hosts` may be reached at whatever address; None allows all. Close it in the end."""

    def __init__(
        self,
        engine: Engine,
        key_file: Path | None,
        allowed_hosts: frozenset[str] | None,
        *,
        patience: float = webhooks.PATIENCE,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._engine = engine
        self._key_file = key_file
        self._guard = Guard(allowed_hosts, "webhooks.allowedHosts")
        self._patience = patience
        self._sleep = sleep
        self._chance = chance
        self._tasks: dict[str, dict[str, asyncio.Task[None]]] = {}  # uid → id → who delivers it
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._session: aiohttp.ClientSession | None = None

    def take(self, live: Live) -> None:
        """See to what a workflow owes. What it owes must have been written down: nothing is told that may yet turn out otherwise."""
        for event in webhooks.owed(live.workflow, live.run):
            mine = self._tasks.setdefault(event.uid, {})
            if event.id not in mine:
                mine[event.id] = asyncio.create_task(self._deliver(event), name=f"webhook {event.id}")

    def is_busy(self, uid: str) -> bool:
        return bool(self._tasks.get(uid))

    def forget(self, uid: str) -> None:
        """The workflow is gone."""
        for task in self._tasks.pop(uid, {}).values():
            task.cancel()

    async def close(self) -> None:
        tasks = [task for mine in self._tasks.values() for task in mine.values()]
        for uid in list(self._tasks):
            self.forget(uid)
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session:
            await self._session.close()

    async def _deliver(self, event: Owed) -> None:
        try:
            note = await self._told(event)
        except Exception:
            _log.exception("%s: webhook=%s: a bug", _about(event), event.id)
            note = f"{webhooks.GIVEN_UP}: an internal error"
        self._note(event, note)

    async def _told(self, event: Owed) -> str:
        """Try until it is delivered or given up; which of the two."""
        began, failures = self._engine.clock(), 0
        while True:
            trouble = await self._try(event)
            if trouble is None:
                return webhooks.DELIVERED
            failures += 1
            elapsed = self._engine.clock() - began
            delay = webhooks.wait(trouble, failures, elapsed, self._patience, self._chance())
            _log.log(
                logging.WARNING if delay is None else logging.INFO,
                "%s: webhook=%s to host=%s: reason=%s; %s",
                _about(event),
                event.id,
                URL(event.webhook.url).host,
                trouble.reason,
                "given up" if delay is None else f"trying again in {delay:.1f} s",
            )
            if delay is None:
                return f"{webhooks.GIVEN_UP}: {trouble.reason}"
            await self._sleep(delay)

    def _note(self, event: Owed, note: str) -> None:
        mine = self._tasks.get(event.uid, {})
        mine.pop(event.id, None)
        if not mine:
            self._tasks.pop(event.uid, None)
        live = self._engine.live.get(event.uid)
        task = live.run.tasks.get(event.task) if live else None
        if live and task and (task.phase, task.attempt) == (event.end.phase, event.end.attempt):
            live.run = replace(live.run, tasks={**live.run.tasks, event.task: replace(task, webhook=note)})
        self._engine.wake(event.uid)

    async def _try(self, event: Owed) -> Trouble | None:
        """One call. What an error says of itself may quote the URL: its type says enough."""
        key = self._key(event.namespace)
        if key is None:
            return Trouble("there is no key to sign with", may_pass=False)
        said = webhooks.body(event)
        try:
            url = URL(event.webhook.url)
            self._guard.check(url.host or "", url.host or "")
            async with (
                self._slots,
                self._opened().post(
                    url,
                    data=said,
                    headers=webhooks.headers(event, said, key, self._engine.clock()),
                    allow_redirects=False,
                ) as response,
            ):
                return webhooks.judge(response.status, response.headers.get("Retry-After", ""))
        except TargetRefused as refusal:
            return Trouble(str(refusal), may_pass=False)
        except (aiohttp.InvalidURL, ValueError):
            return Trouble("the URL or a header is not valid", may_pass=False)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return Trouble(f"no answer ({type(error).__name__})", may_pass=True)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = self._guard.session(AT_ONCE, timeout=TIMEOUT)
        return self._session

    def _key(self, namespace: str) -> bytes | None:
        """Read anew for each try, so that a changed Secret counts."""
        try:
            master = self._key_file.read_bytes().strip() if self._key_file else b""
        except OSError:
            master = b""
        return webhooks.namespace_key(master, namespace) if master else None


def _about(event: Owed) -> Subject:
    return Subject(event.namespace, event.workflow, step=event.step)
