"""One workflow, run to its end on this machine."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from aiohttp import web

from mlworkflow.core import status
from mlworkflow.core.plan import Plan
from mlworkflow.core.state import Run
from mlworkflow.engine.clock import EngineClock
from mlworkflow.engine.engine import Engine
from mlworkflow.engine.live import Live
from mlworkflow.engine.runs import EngineRuns
from mlworkflow.engine.webhook_sender import WebhookSender
from mlworkflow.gateway._auth import LocalTokens
from mlworkflow.gateway.app import make_app, make_runner
from mlworkflow.local.home import NAMESPACE, Home, LocalRun
from mlworkflow.local.processes import ProcessDriver

WEBHOOK_PATIENCE = 60.0
"""Seconds of trying a webhook: a person waits for the end."""

OnChange = Callable[[LocalRun], None]


class LocalRunner:
    """Runs a resource. `on_change` is called with the run whenever its status changed; `cancel` may be called at any time."""

    def __init__(self, home: Home, resource: Mapping[str, Any], on_change: OnChange) -> None:
        """Raises SpecError where the resource is not sound; nothing has been started or kept then."""
        metadata = {**resource.get("metadata", {}), "namespace": NAMESPACE, "uid": str(uuid.uuid4()), "generation": 1}
        self._clock = EngineClock(time.time())
        metadata["creationTimestamp"] = status.stamp(self._clock())
        self._plan = Plan.of({**resource, "metadata": metadata})
        self._home = home
        self._on_change = on_change
        self._wake = asyncio.Event()
        self._driver: ProcessDriver | None = None
        number, self._lock = home.claim(self._plan.workflow.name)
        self.run = LocalRun(self._plan.workflow.name, number, {**resource, "metadata": metadata, "status": {}})

    def cancel(self) -> None:
        """End it as `spec.cancel` would."""
        self._plan = replace(self._plan, workflow=replace(self._plan.workflow, cancel=True))
        self._wake.set()

    def kill(self) -> None:
        """End every process at once, with what it has started."""
        if self._driver:
            self._driver.kill()

    async def execute(self) -> LocalRun:
        """Run to the end, once; the run with its final status."""
        tokens = LocalTokens()
        driver = self._driver = ProcessDriver(self._home, tokens, self._awake, self._clock)
        engine = Engine(self._home.store, driver, self._awake, self._clock)
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
            await self._turns(engine, webhooks)
            await driver.wait_ended()
        finally:
            driver.kill()
            await webhooks.close()
            await runner.cleanup()
            self._home.release(self.run, self._lock)
        return self.run

    async def _turns(self, engine: Engine, webhooks: WebhookSender) -> None:
        live = await engine.open(self._plan, Run())
        while not live.run.phase.is_finished:
            self._wake.clear()
            live.plan = self._plan
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
            self.run = LocalRun(self.run.name, self.run.number, {**self.run.resource, "status": now})
            self._home.save(self.run)
            self._on_change(self.run)
