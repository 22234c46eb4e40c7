"""The operator's process: settings in, parts put together, everything run on one event loop until a signal or a fault.

A fault in any part ends the process: the Deployment restarts it, and a restart costs nothing.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from functools import partial
from importlib.metadata import version
from pathlib import Path

import kopf
import uvloop
from aiohttp import web
from yarl import URL

from mlworkflow import handlers, health, logs
from mlworkflow.attest.keys import SigningKey, published
from mlworkflow.attest.statement import OPERATOR, Builder
from mlworkflow.core import names
from mlworkflow.core.decide import decide
from mlworkflow.core.errors import UsageError
from mlworkflow.engine.clock import EngineClock
from mlworkflow.engine.engine import Engine
from mlworkflow.engine.keeper import Duty, Keeper, archiving, signing
from mlworkflow.engine.last_words import LastWords
from mlworkflow.engine.lineage_sender import LineageSender
from mlworkflow.engine.mirroring import mirroring
from mlworkflow.engine.runs import EngineRuns
from mlworkflow.engine.telling import telling
from mlworkflow.engine.trace_sender import TraceSender
from mlworkflow.engine.watch import watch_store
from mlworkflow.engine.webhook_sender import WebhookSender
from mlworkflow.gateway._auth import ClusterKeys, PodTokens, ReaderTokens
from mlworkflow.gateway._forwarding import Forwarding
from mlworkflow.gateway._rates import Rates
from mlworkflow.gateway._tls import AUTHORITY, Certificate
from mlworkflow.gateway.app import make_app, make_runner
from mlworkflow.gateway.errors import NotReady, Superseded
from mlworkflow.kube.authorities import Authorities
from mlworkflow.kube.backoff import Backoff
from mlworkflow.kube.client import KubeClient
from mlworkflow.kube.config import ConfigError, load_config
from mlworkflow.kube.errors import ApiError, Conflict
from mlworkflow.kube.events import EventSender
from mlworkflow.kube.garbage import GarbageCollector
from mlworkflow.kube.images import Images
from mlworkflow.kube.kopf_settings import tune_garbage_collector
from mlworkflow.kube.members.assignment import GARBAGE, Alone, Assignment, Shared, scheme
from mlworkflow.kube.members.member import Member
from mlworkflow.kube.members.strangers import Strangers
from mlworkflow.kube.pods import PodDriver
from mlworkflow.kube.pull_secrets import PullSecrets
from mlworkflow.kube.queue import WorkQueue
from mlworkflow.kube.reconciler import Reconciler
from mlworkflow.kube.registry import Registries
from mlworkflow.kube.server_time import set_by_server
from mlworkflow.kube.workers import Reconcile, run_workers
from mlworkflow.metrics import app as metrics
from mlworkflow.metrics import definitions as d
from mlworkflow.metrics import hooks
from mlworkflow.metrics.lag import watch_lag
from mlworkflow.metrics.meter import Meter
from mlworkflow.metrics.snapshot import Parts, Snapshot
from mlworkflow.metrics.stores import measured, measured_writes
from mlworkflow.metrics.turns import Turns
from mlworkflow.settings import Settings
from mlworkflow.store.credentials import find_keys
from mlworkflow.store.garbage import Report
from mlworkflow.store.s3 import S3Settings, S3Store
from mlworkflow.store.s3_writer import S3Writer

LEAVING = 9.0
"""Seconds that what is under way has to come to its end, of those that the Pod has (`terminationGracePeriodSeconds`)."""
ONCE = Backoff(base=0.1, cap=0.1, attempts=1)
JWKS = "/openid/v1/jwks"


def main() -> int:
    """Exit code 0 after a signal, 1 after a fault, 2 for wrong settings."""
    try:
        settings = Settings.read(os.environ)
    except UsageError as error:
        print(f"mlworkflow: {error}", file=sys.stderr)
        return 2
    logs.configure(settings.log_level, settings.log_format)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run(settings))
    except (ConfigError, UsageError) as error:
        print(f"mlworkflow: {error}", file=sys.stderr)
        return 2
    return 0


async def run(settings: Settings) -> None:
    """The whole operator."""
    meter = Meter()
    config = load_config()
    async with AsyncExitStack() as stack:
        member: Member | None = None
        forwarding: Forwarding | None = None
        assigned: Assignment = Alone()
        clock = EngineClock(time.time())
        if settings.member:
            talk = await stack.enter_async_context(KubeClient(config, limit=4, timeout=3.0, backoff=ONCE))
            member = Member(talk, settings.member, scheme(settings.limits), clock)
            assigned = shared = Shared(member, settings.limits)
            forwarding = Forwarding(shared.elsewhere, *_trust(settings))
        client = await stack.enter_async_context(
            KubeClient(config, is_fenced=member.is_fenced if member else None, on_answer=hooks.answered(meter))
        )
        queue: WorkQueue[str] = WorkQueue(on_wait=hooks.waited(meter, "workflows"))
        statuses: WorkQueue[str] = WorkQueue(on_wait=hooks.waited(meter, "statuses"))
        registries = None if settings.registries is None else Registries(settings.registries)
        secrets = PullSecrets(client) if settings.registry_secrets else None
        driver = PodDriver(
            client,
            settings.pods,
            settings.namespaces,
            lambda uid, attempt: engine.heard(uid, attempt),
            lambda uid: reconciler.home(uid),
            clock,
            lambda key, pod: last_words.hear(key, pod) if assigned.owns(key.uid) else None,
            Images(settings.pods.pull_policy, registries, secrets),
            _authorities(settings),
        )
        lineage = LineageSender(settings.openlineage, clock) if settings.openlineage else None
        events = EventSender(client, clock) if settings.events else None
        traces = TraceSender.find(os.environ, clock, has_pods=True)
        turns = Turns(meter, clock)
        store = _store(settings, clock)
        writer = await stack.enter_async_context(S3Writer(store))
        engine = Engine(
            measured(store, meter),
            driver,
            lambda uid: reconciler.wake(uid),
            clock,
            settings.limits,
            lambda: reconciler.primed.is_set(),
            telling([turns.tell, *(each.tell for each in (lineage, events, traces) if each)]),
            decide=hooks.decided(meter, decide),
            write_new=measured_writes(writer.write_new, meter),
        )
        last_words = LastWords(
            engine.store, lambda key, pod: driver.last_log(key.namespace, (key.task, key.attempt), pod)
        )
        key = Path(settings.webhook_key) if settings.webhook_key else None
        webhooks = WebhookSender(engine, key, settings.webhook_hosts)
        signing_key = Path(settings.signing_key) if settings.signing_key else None
        duties = [archiving, *([_signing(signing_key)] if signing_key else [])]
        mirror = [mirroring(settings.mlflow, settings.mlflow_experiment)] if settings.mlflow else []
        aside = Keeper(engine.store, mirror, lambda uid: None) if mirror else None
        keeper = Keeper(engine.store, duties, lambda uid: reconciler.wake(uid), aside=aside)
        reconciler = Reconciler(client, engine, queue.add, statuses.add, clock, webhooks, keeper, assigned=assigned)
        reconcile = hooks.reconciled(meter, "workflows", reconciler.reconcile)
        publish = hooks.reconciled(meter, "statuses", reconciler.publish)
        lag = partial(meter.observe, d.LOOP_LAG)
        is_collector = partial(member.owns, GARBAGE) if member else lambda: True
        collector = GarbageCollector(client, engine.store, settings.namespaces, settings.retention, is_collector)
        keys = ClusterKeys(lambda: client.get(JWKS), clock=clock)
        requests = hooks.Requests(meter)
        runs = (
            EngineRuns(engine, may_be_ours=Strangers(member.is_fenced, time.monotonic).may_be_ours)
            if member
            else EngineRuns(engine)
        )
        steps = make_app(
            runs=runs,
            store=engine.store,
            authenticator=PodTokens(keys),
            readers=ReaderTokens(keys),
            garbage=None if settings.gc_interval is None else partial(_garbage, collector),
            purge=partial(_purge, collector),
            public_keys=lambda: published(signing_key) if signing_key else "",
            rates=Rates(settings.gateway_rate, settings.gateway_burst) if settings.gateway_rate else None,
            forwarding=forwarding,
            outside=[requests.middleware],
        )
        certificate = Certificate(Path(settings.gateway_tls)) if settings.gateway_tls else None
        queues = {"workflows": queue.statistics, "statuses": statuses.statistics}
        probed = health.Health(
            driver.age,
            queues,
            lambda: driver.is_synced,
            lambda: reconciler.primed.is_set(),
            lambda: engine.waiting if engine.is_store_known else None,
            member=member.state if member else None,
        )
        prime = reconciler.priming.keep if member else reconciler.priming.run
        runners = [await serve(health.make_app(probed), settings.health_port)]
        try:
            await set_by_server(clock, client, asyncio.sleep)  # before anything is stamped, or judged by its stamp
            gateway = await serve(steps, settings.gateway_port, certificate.context if certificate else None)
            runners.append(gateway)
            if settings.metrics_port:
                parts = Parts(
                    client,
                    engine,
                    turns,
                    queues,
                    driver.watches,
                    reconciler.phases,
                    lambda: requests.in_flight,
                    lambda: len(gateway.server.connections) if gateway.server else 0,
                )
                meter.registry.register(Snapshot(parts))
                runners.append(await serve(metrics.make_app(meter.registry), settings.metrics_port))
            probed.serves = True
            async with asyncio.TaskGroup() as group:
                background = [
                    group.create_task(driver.run(), name="pods"),
                    group.create_task(prime(settings.namespaces, asyncio.sleep), name="priming"),
                    group.create_task(watch_store(engine, reconciler.wake_all), name="store"),
                    group.create_task(_work(driver, queue, settings.workers, reconcile), name="workers"),
                    group.create_task(run_workers(statuses, settings.workers, publish), name="statuses"),
                    group.create_task(watch_lag(lag, time.monotonic, asyncio.sleep), name="lag"),
                ]
                if member:
                    background.append(group.create_task(_belong(member, reconciler, driver), name="member"))
                if certificate:
                    background.append(group.create_task(certificate.keep_fresh(), name="certificate"))
                if settings.gc_interval is not None:
                    background.append(group.create_task(collector.run(settings.gc_interval), name="garbage"))
                await kopf.operator(
                    registry=handlers.registry(client, reconciler),
                    clusterwide=not settings.namespaces,
                    namespaces=list(settings.namespaces),
                    standalone=True,
                    identity=names.FIELD_MANAGER,  # type: ignore[arg-type]  # else kopf asks for a user name, which a container need not have
                )
                if member:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(LEAVING):
                            await member.leave()
                for task in background:
                    task.cancel()
        finally:
            if forwarding:
                await forwarding.close()
            await engine.chooser.close()
            await webhooks.close()
            if lineage:
                await lineage.close(patience=2.0)
            if events:
                await events.close()
            if traces:
                await traces.close(patience=2.0)
            await keeper.close()
            await last_words.close()
            if registries:
                await registries.close()
            for runner in runners:
                await runner.cleanup()


async def _work(driver: PodDriver, queue: WorkQueue[str], count: int, reconcile: Reconcile[str]) -> None:
    """Reconcile, once every Pod that exists is known: before that, a Pod could be taken for lost."""
    await driver.wait_synced()
    tune_garbage_collector()
    await run_workers(queue, count, reconcile)


async def _garbage(collector: GarbageCollector, namespace: str) -> Report:
    """What of a namespace is garbage, for the people's API."""
    try:
        return await collector.collect(namespace, dry_run=True)
    except ApiError as error:
        raise NotReady(f"the workflows of {namespace} cannot be listed now: {type(error).__name__}") from error


async def _purge(collector: GarbageCollector, namespace: str, uid: str) -> int:
    """Remove what is kept of a run, for the people's API."""
    try:
        return await collector.purge(namespace, uid)
    except Conflict as error:
        raise Superseded(error.message) from error
    except ApiError as error:
        raise NotReady(f"the workflows of {namespace} cannot be listed now: {type(error).__name__}") from error


async def _belong(member: Member, reconciler: Reconciler, driver: PodDriver) -> None:
    """Share the work with others, once every Pod that exists is known."""
    member.is_busy, member.changed, member.stop = reconciler.is_busy, reconciler.reassign, reconciler.stop
    await driver.wait_synced()
    await member.run()


def _trust(settings: Settings) -> tuple[Callable[[], ssl.SSLContext] | None, str | None]:
    """What the certificate of another member's gateway is checked with, and the name that it is for."""
    if not settings.gateway_tls:
        return None, None
    authority = Path(settings.gateway_tls, AUTHORITY)

    def trust() -> ssl.SSLContext:
        return ssl.create_default_context(cafile=authority if authority.is_file() else None)

    return trust, URL(settings.pods.gateway).host


async def serve(
    app: web.Application, port: int, tls: ssl.SSLContext | None = None, host: str = "0.0.0.0"
) -> web.AppRunner:
    """Serve an application on a port of every address."""
    runner = make_runner(app, shutdown_timeout=2.0)
    await runner.setup()
    await web.TCPSite(runner, host, port, ssl_context=tls).start()
    return runner


def _signing(key: Path) -> Duty:
    """Raises UsageError where the key cannot be used."""
    try:
        SigningKey.read(key)
    except OSError as error:
        raise UsageError(f"MLWF_SIGNING_KEY: {error.strerror}: {key}") from None
    return signing(key, Builder(OPERATOR, version("mlworkflow")))


def _authorities(settings: Settings) -> Authorities:
    """Of the gateway, if its certificate comes with one, and of the store. Raises UsageError."""
    gateway = Path(settings.gateway_tls, AUTHORITY) if settings.gateway_tls else None
    files = [gateway] if gateway and gateway.is_file() else []
    return Authorities([*files, *([Path(settings.store_ca)] if settings.store_ca else [])])


def _store(settings: Settings, clock: Callable[[], float]) -> S3Store:
    return S3Store(
        S3Settings(
            endpoint=settings.store_url,
            bucket=settings.store_bucket,
            keys=find_keys(
                os.environ, Path(settings.store_keys) if settings.store_keys else None, cloud=settings.store_cloud
            ),
            region=settings.store_region,
            path_style=settings.store_path_style != "virtual",
            create_bucket=True,
            ca_file=settings.store_ca or None,
        ),
        clock=clock,
    )


if __name__ == "__main__":
    sys.exit(main())
