"""The operator as its container starts it: one process with kopf, watches, gateway, probes and a real object store; only the API server is a stand-in."""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email.utils import formatdate
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web
from mlworkflow.core.status import moment

from tests.builders import a_workflow
from tests.component.certificates import Authority
from tests.component.kube.fake_api import until
from tests.component.servers import ACCESS_KEY, SECRET_KEY, free_port

from .cluster import ApiServer, pod_of

ROOT = Path(__file__).parents[3]
HOUR = 3600.0
BODY = {"image": "i", "command": ["c"], "agent": True}


class Discoverable(ApiServer):
    """Says what it has, as kopf asks it to, and what time it is: an hour later than this machine thinks."""

    async def _dispatch(self, request: web.Request) -> web.StreamResponse:
        group = "mlworkflow.io/v1alpha1"
        version = {"groupVersion": group, "version": "v1alpha1"}
        answers: dict[str, Any] = {
            "/version": {"gitVersion": "v1.37.0"},
            "/api": {"versions": ["v1"]},
            "/apis": {"groups": [{"name": "mlworkflow.io", "versions": [version], "preferredVersion": version}]},
            "/api/v1": {
                "resources": [resource("pods", "Pod"), resource("events", "Event"), resource("namespaces", "Namespace")]
            },
            f"/apis/{group}": {"resources": [resource("mlworkflows", "MLWorkflow")]},
        }
        if request.path in answers:
            date = formatdate(time.time() + HOUR, usegmt=True)
            return web.json_response(answers[request.path], headers={"Date": date})
        return await super()._dispatch(request)


def resource(plural: str, kind: str) -> dict[str, Any]:
    verbs = ["create", "delete", "get", "list", "patch", "watch"]
    return {"name": plural, "singularName": kind.lower(), "namespaced": True, "kind": kind, "verbs": verbs}


@asynccontextmanager
async def running(
    server: str, endpoint: str, folder: Path, ports: tuple[int, int], **more: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    config = {
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "current-context": "c",
    }
    keys = folder / "keys"
    keys.mkdir(exist_ok=True)
    for name, text in (("kubeconfig", yaml.safe_dump(config)), ("access-key", ACCESS_KEY), ("secret-key", SECRET_KEY)):
        (keys / name).write_text(text)
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "operator"),
        "KUBECONFIG": str(keys / "kubeconfig"),
        "MLWF_NAMESPACES": "default",
        "MLWF_STORE_URL": endpoint,
        "MLWF_STORE_BUCKET": "process",
        "MLWF_STORE_KEYS": str(keys),
        "MLWF_GATEWAY_URL": "http://gateway",
        "MLWF_STEPS_IMAGE": "steps",
        "MLWF_AGENT_IMAGE": "agent",
        "MLWF_GATEWAY_PORT": str(ports[0]),
        "MLWF_HEALTH_PORT": str(ports[1]),
        **more,
    }
    with (folder / "operator.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "mlworkflow", env=environ, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def status_of(url: str) -> int:
    async with aiohttp.ClientSession() as session:
        try:
            async with session.get(url) as response:
                return response.status
        except aiohttp.ClientError:
            return 0


async def until_status(url: str, status: int) -> None:
    async with asyncio.timeout(30):
        while await status_of(url) != status:  # noqa: ASYNC110  of another process
            await asyncio.sleep(0.05)


async def test_a_process_starts_works_by_the_servers_time_and_ends_when_told_to(
    tmp_path: Path, endpoints: Callable[[str], str]
) -> None:
    api = Discoverable()
    api.put("mlworkflows", a_workflow().kind("s0", "container", BODY).resource())
    ports = free_port(), free_port()
    async with (
        api.served() as config,
        running(config.server, endpoints("minio"), tmp_path, ports) as process,
        asyncio.timeout(60),
    ):
        await until(lambda: api.pods)
        await until_status(f"http://127.0.0.1:{ports[1]}/readyz", 200)
        assert await status_of(f"http://127.0.0.1:{ports[0]}/v1/task") == 401
        await until(lambda: api.status().get("phase") == "Running")
        started = moment(api.status()["startedAt"])
        assert started is not None
        assert abs(started - time.time() - HOUR) < 60, "the hour is the API server's"
        ended = {"name": "step", "state": {"terminated": {"exitCode": 3, "reason": "Error"}}}
        pod = pod_of(api, "s0")
        api.put("pods", api.pods[pod], status={"phase": "Failed", "containerStatuses": [ended]})
        await until(lambda: api.status()["phase"] == "Failed")
        assert api.status()["steps"][0]["message"] == "exit code 3\nthe last words"
        process.send_signal(signal.SIGTERM)
        code = await process.wait()
    log = (tmp_path / "operator.log").read_text()
    assert code == 0, log
    assert "Traceback" not in log, log
    assert "-3600 s from the API server's" in log or "-3599 s" in log, log


async def test_a_process_serves_with_tls_and_its_pods_trust_it(tmp_path: Path, endpoints: Callable[[str], str]) -> None:
    api = Discoverable()
    api.put("mlworkflows", a_workflow().meta(uid="uid-of-tls").kind("s0", "container", BODY).resource())
    ports = free_port(), free_port()
    authority = Authority()
    authority.issue(tmp_path / "tls")
    (tmp_path / "tls/ca.crt").write_text(authority.pem)
    async with (
        api.served() as config,
        running(config.server, endpoints("minio"), tmp_path, ports, MLWF_GATEWAY_TLS=str(tmp_path / "tls")) as process,
        asyncio.timeout(60),
    ):
        await until(lambda: api.pods)
        (container,) = api.pods[pod_of(api, "s0")]["spec"]["containers"]
        assert {"name": "MLWF_CA", "value": authority.pem} in container["env"]
        trusting = ssl.create_default_context(cadata=authority.pem)
        async with aiohttp.ClientSession() as session:
            async with session.get(f"https://127.0.0.1:{ports[0]}/v1/task", ssl=trusting) as response:
                assert response.status == 401
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await session.get(f"https://127.0.0.1:{ports[0]}/v1/task")
        await until_status(f"http://127.0.0.1:{ports[1]}/readyz", 200)  # probes go without TLS
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    log = (tmp_path / "operator.log").read_text()
    assert "PRIVATE" not in log
    assert "Traceback" not in log, log


async def test_a_process_with_a_certificate_that_it_cannot_use_says_so_and_ends(tmp_path: Path) -> None:
    ports = free_port(), free_port()
    (tmp_path / "tls").mkdir()
    async with running(
        "http://127.0.0.1:1", "http://127.0.0.1:1", tmp_path, ports, MLWF_GATEWAY_TLS=str(tmp_path / "tls")
    ) as process:
        assert await asyncio.wait_for(process.wait(), 30) == 2
    assert "has no certificate to serve with" in (tmp_path / "operator.log").read_text()


async def test_a_process_without_its_store_is_not_ready_until_it_has_seen_it(tmp_path: Path) -> None:
    api = Discoverable()
    ports, store = (free_port(), free_port()), free_port()
    async with (
        api.served() as config,
        running(config.server, f"http://127.0.0.1:{store}", tmp_path, ports),
        aiohttp.ClientSession() as session,
    ):
        await until_status(f"http://127.0.0.1:{ports[1]}/startupz", 200)
        said: dict[str, Any] = {}
        async with asyncio.timeout(30):
            while said.get("conditions", {}).get("pods") != "ok" or "waiting" not in said["conditions"]["store"]:
                async with session.get(f"http://127.0.0.1:{ports[1]}/readyz") as response:
                    assert response.status == 503
                    said = await response.json()
                await asyncio.sleep(0.05)
        assert said["conditions"]["store"].startswith("waiting for the object store: ")
        assert await status_of(f"http://127.0.0.1:{ports[1]}/healthz") == 200, "a restart would help nobody"


async def test_a_process_that_finds_no_api_server_lives_and_says_so(tmp_path: Path) -> None:
    ports = free_port(), free_port()
    async with running(f"http://127.0.0.1:{free_port()}", "http://127.0.0.1:1", tmp_path, ports) as process:
        log = tmp_path / "operator.log"
        await until(lambda: "does not say what time it is" in log.read_text())
        assert await status_of(f"http://127.0.0.1:{ports[1]}/healthz") == 200
        assert await status_of(f"http://127.0.0.1:{ports[1]}/startupz") == 503, "nothing is judged yet"
        assert await status_of(f"http://127.0.0.1:{ports[1]}/readyz") == 503
        assert process.returncode is None
