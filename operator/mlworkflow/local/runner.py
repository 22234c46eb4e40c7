"""One workflow, run to its end on this machine, from its beginning or from where an earlier process left it."""

from __future__ import annotations

import asyncio
import logging
import os
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, BinaryIO

from aiohttp import web

from mlworkflow.core import duration, rerun, status
from mlworkflow.core.errors import SpecError
from mlworkflow.core.plan import Plan
from mlworkflow.engine import lineage_sender
from mlworkflow.engine.clock import EngineClock
from mlworkflow.engine.engine import Engine
from mlworkflow.engine.lineage_sender import Endpoint, LineageSender
from mlworkflow.engine.live import Live
from mlworkflow.engine.runs import EngineRuns
from mlworkflow.engine.telling import telling
from mlworkflow.engine.trace_sender import TraceSender
from mlworkflow.engine.webhook_sender import WebhookSender
from mlworkflow.gateway._auth import LocalTokens
from mlworkflow.gateway.app import make_app, make_runner
from mlworkflow.local import attesting, mirroring, orphans
from mlworkflow.local.containers import Containers
from mlworkflow.local.home import NAMESPACE, Home, LocalRun
from mlworkflow.local.patches import merged
from mlworkflow.local.processes import ProcessDriver

WEBHOOK_PATIENCE = 60.0
"""Seconds of trying a webhook: a person waits for the end."""

LOOK = 0.25
"""Seconds between looks at what other processes ask for."""

PATIENCE = "1m"
"""How long an agent waits for its store and its gateway: here they are away only if the disk is full or the runner was killed."""

OnChange = Callable[[LocalRun], None]
_log = logging.getLogger(__name__)


class LocalRunner:
    """Runs a resource. `on_change` is called with the run whenever its status changed; `cancel` may be called at any time.

    `look` are the seconds between looks at requests of other processes, `wall` is the time now.
    """

    def __init__(
        self,
        home: Home,
        resource: Mapping[str, Any],
        on_change: OnChange,
        *,
        kept: tuple[LocalRun, BinaryIO] | None = None,
        look: float = LOOK,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Raises SpecError where the resource is not sound, UsageError where OPENLINEAGE_URL, MLWF_STORE_PATIENCE or MLWF_ENGINE cannot be read; nothing has been started or kept then."""
        self._clock = EngineClock(wall())
        self._lineage = Endpoint.find(os.environ)
        self._patience = duration.setting(os.environ, "MLWF_STORE_PATIENCE", PATIENCE, least=1.0)
        self._containers = Containers.find(os.environ)
        if kept is None:
            made = {"namespace": NAMESPACE, "uid": str(uuid.uuid4()), "generation": 1}
            metadata = {**resource.get("metadata", {}), **made, "creationTimestamp": status.stamp(self._clock())}
            resource = {**resource, "metadata": metadata, "status": {}}
        self._plan = Plan.of(resource)
        self._home = home
        self._on_change = on_change
        self._look = look
        self._is_kept = kept is not None
        self._wake = asyncio.Event()
        self._driver: ProcessDriver | None = None
        if kept is None:
            number, self._lock = home.claim(self._plan.workflow.name)
            self.run = LocalRun(self._plan.workflow.name, number, resource)
        else:
            self.run, self._lock = replace(kept[0], resource=resource), kept[1]

    @classmethod
    def again(
        cls,
        home: Home,
        run: LocalRun,
        lock: BinaryIO,
        patch: Mapping[str, Any],
        on_change: OnChange,
        look: float = LOOK,
    ) -> LocalRunner:
        """Takes up a run that nobody runs, with a patch of its spec, after what others have asked for in vain. `lock` is of `Home.reclaim`.

        Raises SpecError where it would not be sound; nothing has changed then.
        """
        requests = home.requests(run)
        pending = requests.pending()
        resource = run.resource
        for _, asked in pending:
            changed = _changed(resource, asked)
            with suppress(SpecError):  # what is not sound is not carried out
                Plan.of(changed)
                resource = changed
        runner = cls(home, _changed(resource, patch), on_change, kept=(run, lock), look=look)
        home.save(runner.run)
        for path, _ in pending:
            requests.done(path)
        return runner

    def cancel(self) -> None:
        """End it as `spec.cancel` would."""
        self._change({"cancel": True})

    def _change(self, patch: Mapping[str, Any]) -> None:
        """Go on with another spec. Raises SpecError where it is not sound; nothing has changed then."""
        resource = _changed(self.run.resource, patch)
        self._plan = Plan.of(resource)
        self.run = replace(self.run, resource=resource)
        self._wake.set()
        self._home.save(self.run)

    def kill(self) -> None:
        """End every process at once, with what it has started."""
        if self._driver:
            self._driver.kill()

    async def execute(self) -> LocalRun:
        """Run to the end, once; the run with its final status."""
        if self._is_kept:
            await asyncio.to_thread(orphans.end, self._home.attempts(self.run.uid))
            if self._containers:
                await self._containers.remove_all(self.run.uid)
        else:
            self._home.save(self.run)
        tokens = LocalTokens()
        driver = self._driver = ProcessDriver(
            self._home,
            tokens,
            lambda uid, attempt: engine.heard(uid, attempt),
            self._clock,
            self._patience,
            self._containers,
        )
        lineage = LineageSender(self._lineage, self._clock) if self._lineage else None
        engine = Engine(self._home.store, driver, self._awake, self._clock, called=self._home.called)
        traces = TraceSender.find(os.environ, self._clock, has_pods=False)
        driver.is_traced = traces is not None
        engine.tell = telling([each.tell for each in (lineage, traces) if each])
        has_webhooks = any(step.on_success or step.on_failure for step in self._plan.workflow.all_steps().values())
        key = self._home.webhook_key() if has_webhooks else None
        webhooks = WebhookSender(engine, key, None, patience=WEBHOOK_PATIENCE)
        app = make_app(runs=EngineRuns(engine), store=self._home.store, authenticator=tokens, blobs=self._home.signer)
        runner = make_runner(app, shutdown_timeout=1.0)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            driver.gateway = f"http://127.0.0.1:{runner.addresses[0][1]}"
            listening = asyncio.create_task(self._listen())
            try:
                await self._turns(engine, webhooks)
            finally:
                listening.cancel()
            await driver.wait_ended()
            await asyncio.to_thread(attesting.attest_all, self._home, self.run)
            await asyncio.to_thread(mirroring.mirror_all, self._home, self.run, os.environ)
        finally:
            driver.kill()
            if self._containers:
                await self._containers.remove_all(self.run.uid)
            await engine.chooser.close()
            await webhooks.close()
            if lineage:
                await lineage.close(lineage_sender.PATIENCE)
            if traces:
                await traces.close(lineage_sender.PATIENCE)
            await runner.cleanup()
            self._home.release(self.run, self._lock)
        return self.run

    async def _turns(self, engine: Engine, webhooks: WebhookSender) -> None:
        before = status.read(self.run.resource["status"], self._plan.nodes)
        live = await engine.open(self._plan, before)
        while rerun.is_asked(self._plan, live.run) or not live.run.phase.is_finished:
            self._wake.clear()
            live.plan = self._plan
            if rerun.is_asked(live.plan, live.run):  # written down before anything is done about it
                again = rerun.honour(live.plan, live.run, self._clock())
                await engine.drop_checkpoints(live, again.stale)
                live.restart(again.run)
                self._keep(live)
                continue
            wake_at = await engine.advance(live)
            self._keep(live)
            webhooks.take(live)
            if not live.run.phase.is_finished:
                await self._sleep(wake_at)
        asked = self._plan.workflow.cancel
        while webhooks.is_busy(self._plan.workflow.uid) and self._plan.workflow.cancel == asked:
            await self._wake.wait()
            self._wake.clear()
            self._keep(live)

    async def _listen(self) -> None:
        """Take up what other processes ask for."""
        requests = self._home.requests(self.run)
        while True:
            for path, patch in requests.pending():
                try:
                    self._change(patch)
                except SpecError as error:
                    _log.warning("a request is not carried out: %s", error)
                requests.done(path)
            await asyncio.sleep(self._look)

    async def _sleep(self, until: float | None) -> None:
        try:
            async with asyncio.timeout(None if until is None else max(0.0, until - self._clock())):
                await self._wake.wait()
        except TimeoutError:
            return

    def _awake(self, _uid: str) -> None:
        self._wake.set()

    def _keep(self, live: Live) -> None:
        now = status.written(live.plan, live.run, self.run.resource["status"], self._clock())
        if now != self.run.resource["status"]:
            self.run = replace(self.run, resource={**self.run.resource, "status": now})
            self._home.save(self.run)
            self._on_change(self.run)


def _changed(resource: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """A resource with a merge patch of its spec carried out: its next generation."""
    metadata = {**resource["metadata"], "generation": int(resource["metadata"].get("generation") or 1) + 1}
    return {**resource, "metadata": metadata, "spec": merged(resource["spec"], patch)}
