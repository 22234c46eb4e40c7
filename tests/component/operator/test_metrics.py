"""The whole operator process, scraped by a real Prometheus: what the dashboard and the alerts ask for is there."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web
from mlworkflow.metrics.definitions import DEFINITIONS, PROCESS

from tests.builders import WorkflowBuilder, a_workflow
from tests.component.kube.fake_api import until
from tests.component.monitoring import Prometheus, prometheus, promtool
from tests.component.servers import free_port
from tests.component.tokens import Cluster, of_pod, token

from .cluster import Json
from .test_process import HOUR, Discoverable, running

ROOT = Path(__file__).parents[3]
FILES = ROOT / "charts/mlworkflow/files"
IMAGE = "registry.example/i@sha256:" + "a" * 64
BODY = {"image": IMAGE, "command": ["c"], "agent": True}


class Signing(Discoverable):
    """Publishes the keys of its tokens, too."""

    async def _dispatch(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/openid/v1/jwks":
            return web.json_response(await Cluster().fetch())
        return await super()._dispatch(request)

    def of(self, workflow: str, attempt: int = 0) -> Json | None:
        """The Pod of an attempt of a workflow's only step."""
        for pod in self.pods.values():
            notes, owner = pod["metadata"]["annotations"], pod["metadata"]["ownerReferences"][0]["name"]
            if (owner, notes["mlworkflow.io/attempt"]) == (workflow, str(attempt)):
                return pod
        return None

    def have(self, pod: Json, phase: str, **state: Json) -> None:
        """The kubelet has looked at the step's container."""
        container = {"name": "step", "imageID": IMAGE, "state": state}
        self.put("pods", pod, status={"phase": phase, "containerStatuses": [container]})


def a_step(name: str, body: Json = BODY, **fields: Any) -> WorkflowBuilder:
    return a_workflow(name).meta(uid=f"uid-of-{name}").kind("s0", "container", body, **fields)


async def commit(session: aiohttp.ClientSession, gateway: str, pod: Json) -> None:
    """What the agent in a Pod says in the end."""
    now = time.time() + HOUR
    claim = of_pod(pod["metadata"]["name"], pod["metadata"]["uid"], "default")
    headers = {"Authorization": f"Bearer {token(of=claim, exp=now + 600, nbf=now - 600)}"}
    async with session.post(f"{gateway}/v1/commit", json={"exitCode": 0}, headers=headers) as response:
        assert response.status == 200, await response.text()


def events_of(api: Signing, workflow: str) -> list[str]:
    """The reasons of the Events of a workflow, in their order."""
    return [event["reason"] for event in api.objects["events"].values() if event["involvedObject"]["name"] == workflow]


def queries() -> dict[str, str]:
    """Those of the dashboard, by panel and letter, with the variables filled in."""
    found = {}
    for panel in json.loads((FILES / "dashboard.json").read_text())["panels"]:
        for target in panel.get("targets", []):
            query = target["expr"].replace("$job", ".*").replace("$__rate_interval", "60s")
            found[f"{panel['title']} {target['refId']}"] = query
    return found


def named(text: str) -> set[str]:
    return set(re.findall(r"\b(?:mlworkflow|process)_[a-z_]+", text))


async def answered(server: Prometheus, asked: dict[str, str]) -> None:
    """Wait until each of the queries has an answer."""
    left = asked
    async with asyncio.timeout(60):
        while left:
            left = {name: query for name, query in left.items() if not server.query(query)}
            try:
                await asyncio.sleep(0.5)
            except asyncio.CancelledError:
                raise AssertionError(f"no answer to {left}") from None


async def test_all_that_the_dashboard_and_the_alerts_ask_for_is_there(
    tmp_path: Path, endpoints: Callable[[str], str]
) -> None:
    api = Signing()
    api.put("mlworkflows", a_step("good", cache={"enabled": True}).resource())
    api.put("mlworkflows", a_step("same", cache={"enabled": True}).resource())  # waits for the result of the other
    api.put(
        "mlworkflows", a_step("bad", {**BODY, "command": ["false"]}, retry={"limit": 1, "backoff": "10ms"}).resource()
    )
    api.put("mlworkflows", a_workflow("asks").meta(uid="uid-of-asks").kind("ask", "approve", {}).resource())
    ports, scraped = (free_port(), free_port()), free_port()
    more = {"MLWF_METRICS_PORT": str(scraped), "MLWF_REGISTRY_ENABLED": "false", "MLWF_LOG_FORMAT": "json"}
    async with (
        api.served() as config,
        running(config.server, endpoints("minio"), tmp_path, ports, **more),
        aiohttp.ClientSession() as session,
    ):
        await until(lambda: (api.of("good") or api.of("same")) and api.of("bad"))
        first = api.of("good") or api.of("same") or {}
        with prometheus(tmp_path, f"127.0.0.1:{scraped}", FILES / "alerts.yaml") as server:
            await answered(server, {"it is scraped": "up == 1 and on () mlworkflow_build_info"})
            api.have(first, "Running", running={})
            await commit(session, f"http://127.0.0.1:{ports[0]}", first)
            await until(lambda: all(api.status(name).get("phase") == "Succeeded" for name in ("good", "same")))
            for attempt in (0, 1):
                await until(lambda attempt=attempt: api.of("bad", attempt))
                api.have(api.of("bad", attempt) or {}, "Failed", terminated={"exitCode": 3, "reason": "Error"})
            await until(lambda: api.status("bad").get("phase") == "Failed")
            async with session.get(f"http://127.0.0.1:{scraped}/metrics") as response:
                text = await response.text()
            checked = promtool("check", "metrics", text=text)
            assert checked.returncode == 0, checked.stderr + checked.stdout
            await answered(server, queries())
            await answered(server, {name: name for name in named((FILES / "alerts.yaml").read_text())})
            await answered(server, {name: name for metric in DEFINITIONS for name in metric.series})
            await answered(server, {name: name for name in PROCESS})
            assert {rule["health"] for rule in server.rules()} == {"ok"}, server.rules()
            values = {
                'mlworkflow_steps_ended_total{kind="container", phase="Failed"}': "1",
                'mlworkflow_step_failures_total{reason="Error"}': "1",
                'mlworkflow_step_retries_total{kind="container", cause="failed"}': "1",
                'mlworkflow_steps_ended_total{kind="container", phase="Succeeded"}': "2",
                'mlworkflow_cache_lookups_total{outcome="hit"}': "1",
                'mlworkflow_workflow_duration_seconds_count{phase="Failed"}': "1",
                'mlworkflow_gateway_requests_total{route="/v1/commit", code="200"}': "1",
                'mlworkflow_workflows{phase="Succeeded"}': "2",
                "mlworkflow_approvals_waiting": "1",
                "mlworkflow_store_up": "1",
            }
            await answered(server, {name: f"{name} == {value}" for name, value in values.items()})
            await until(lambda: len(api.objects["events"]) == 10)
    told = {name: events_of(api, name) for name in ("good", "same", "bad", "asks")}
    assert told["good"] == told["same"] == ["Started", "Succeeded"], "and none of a step that succeeds"
    assert told["bad"] == ["Started", "StepRetried", "StepFailed", "Failed"]
    assert told["asks"] == ["Started", "WaitingForApproval"]
    secrets = ("mlworkflowtestkey", "mlworkflow-test-secret", "good", "uid-of", "s0")
    assert not [word for word in secrets if word in text], "neither keys nor names"
    lines = [json.loads(line) for line in (tmp_path / "operator.log").read_text().splitlines()]
    about = {"namespace": "default", "workflow": "bad", "uid": "uid-of-bad", "step": "s0"}
    failed = {**about, "attempt": 1, "phase": "Failed", "reason": "Error"}
    assert [line for line in lines if failed.items() <= line.items()], (
        "a decision is one line with all that it is about"
    )


FIRES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "MLWorkflowOperatorDown": ({'mlworkflow_build_info{pod="a"}': "1x60"}, {}),
    "MLWorkflowQueueStuck": (
        {'mlworkflow_queue_oldest_age_seconds{queue="workflows"}': "20x60"},
        {'mlworkflow_queue_oldest_age_seconds{queue="workflows"}': "0+60x60"},
    ),
    "MLWorkflowReconcileBug": (
        {'mlworkflow_reconcile_duration_seconds_count{outcome="bug", queue="workflows"}': "0x60"},
        {'mlworkflow_reconcile_duration_seconds_count{outcome="bug", queue="workflows"}': "0+1x60"},
    ),
    "MLWorkflowWorkflowStuck": (
        {"mlworkflow_workflow_idle_seconds": "5x60"},
        {"mlworkflow_workflow_idle_seconds": "0+60x60"},
    ),
    "MLWorkflowStepsCannotStart": (
        {"mlworkflow_steps_waiting_oldest_seconds": "300x60"},
        {"mlworkflow_steps_waiting_oldest_seconds": "0+60x60"},
    ),
    "MLWorkflowStepsLost": (
        {'mlworkflow_step_retries_total{kind="train", cause="failed"}': "0+5x60"},
        {'mlworkflow_step_retries_total{kind="train", cause="lost"}': "0+1x60"},
    ),
    "MLWorkflowApiErrors": (
        {
            'mlworkflow_api_requests_total{verb="create", resource="pods", code="201"}': "0+60x60",
            'mlworkflow_api_requests_total{verb="create", resource="pods", code="409"}': "0+60x60",
        },
        {
            'mlworkflow_api_requests_total{verb="create", resource="pods", code="201"}': "0+60x60",
            'mlworkflow_api_requests_total{verb="create", resource="pods", code="0"}': "0+60x60",
        },
    ),
    "MLWorkflowApiThrottled": (
        {'mlworkflow_api_requests_total{verb="create", resource="pods", code="429"}': "0+1x60"},
        {'mlworkflow_api_requests_total{verb="create", resource="pods", code="429"}': "0+60x60"},
    ),
    "MLWorkflowWatchDead": (
        {"mlworkflow_watch_age_seconds": "60x60"},
        {"mlworkflow_watch_age_seconds": "0+60x60"},
    ),
    "MLWorkflowStoreUnreachable": ({"mlworkflow_store_up": "1x60"}, {"mlworkflow_store_up": "1x30 0x30"}),
    "MLWorkflowGatewayErrors": (
        {
            'mlworkflow_gateway_requests_total{method="POST", route="/v1/commit", code="200"}': "0+60x60",
            'mlworkflow_gateway_requests_total{method="POST", route="/v1/commit", code="409"}': "0+60x60",
        },
        {
            'mlworkflow_gateway_requests_total{method="POST", route="/v1/commit", code="200"}': "0+60x60",
            'mlworkflow_gateway_requests_total{method="POST", route="/v1/commit", code="503"}': "0+60x60",
        },
    ),
    "MLWorkflowMemoryHigh": (
        {'process_resident_memory_bytes{pod="a"}': "50x60", 'mlworkflow_memory_limit_bytes{pod="a"}': "100x60"},
        {'process_resident_memory_bytes{pod="a"}': "90x60", 'mlworkflow_memory_limit_bytes{pod="a"}': "100x60"},
    ),
    "MLWorkflowStatusTooBig": (
        {f'mlworkflow_status_patch_bytes_bucket{{le="{le}"}}': "0+60x60" for le in ("768000.0", "1e+06", "+Inf")},
        {
            'mlworkflow_status_patch_bytes_bucket{le="1e+06"}': "0+59x60",
            'mlworkflow_status_patch_bytes_bucket{le="1.5e+06"}': "0+60x60",
            'mlworkflow_status_patch_bytes_bucket{le="+Inf"}': "0+60x60",
        },
    ),
    "MLWorkflowEventLoopBlocked": (
        {f'mlworkflow_event_loop_lag_seconds_bucket{{le="{le}"}}': "0+60x60" for le in ("0.01", "1.0", "+Inf")},
        {
            'mlworkflow_event_loop_lag_seconds_bucket{le="0.5"}': "0x60",
            'mlworkflow_event_loop_lag_seconds_bucket{le="1.0"}': "0+60x60",
            'mlworkflow_event_loop_lag_seconds_bucket{le="+Inf"}': "0+60x60",
        },
    ),
}
"""Series, a value a minute, by which an alert is quiet, and by which it fires within an hour."""


def test_every_alert_fires_when_it_should_and_not_before(tmp_path: Path) -> None:
    rules = FILES / "alerts.yaml"
    checked = promtool("check", "rules", str(rules))
    assert checked.returncode == 0, checked.stderr + checked.stdout
    assert FIRES.keys() == {alert["alert"] for alert in alerts()}
    cases = [
        {
            "interval": "1m",
            "input_series": [{"series": name, "values": values} for name, values in series.items()],
            "promql_expr_test": [
                {
                    "expr": f'count(ALERTS{{alertname="{alert}", alertstate="firing"}}) or vector(0)',
                    "eval_time": "59m",
                    "exp_samples": [{"labels": "{}", "value": count}],
                }
            ],
        }
        for alert, (quiet, sick) in FIRES.items()
        for count, series in enumerate((quiet, sick))
    ]
    (tmp_path / "tests.yaml").write_text(
        yaml.safe_dump({"rule_files": [str(rules)], "evaluation_interval": "1m", "tests": cases})
    )
    tested = promtool("test", "rules", str(tmp_path / "tests.yaml"))
    assert tested.returncode == 0, tested.stderr + tested.stdout


def test_every_alert_says_what_is_the_matter_and_has_its_runbook() -> None:
    page = (ROOT / "docs/operations.md").read_text()
    for alert in alerts():
        assert alert["labels"]["severity"] in ("critical", "warning")
        assert alert["annotations"].keys() == {"summary", "description"}
        assert f"\n### {alert['alert']}\n" in page


def test_queries_name_only_metrics_that_are_defined() -> None:
    known = {name for metric in DEFINITIONS for name in metric.series} | set(PROCESS)
    assert named((FILES / "alerts.yaml").read_text()) <= known
    asked = {name for query in queries().values() for name in named(query)}
    assert asked <= known
    unseen = [metric.name for metric in DEFINITIONS if not asked & set(metric.series)]
    assert set(unseen) <= {"mlworkflow_watch_objects"}, "what nobody looks at need not be counted"
    titles = [panel["title"] for panel in json.loads((FILES / "dashboard.json").read_text())["panels"]]
    assert len(titles) == len(set(titles))


@pytest.mark.parametrize("tool", ["dashboard.py", "metrics_docs.py"])
def test_what_is_generated_is_current(tool: str) -> None:
    subprocess.run([sys.executable, ROOT / "tools" / tool, "--check"], check=True)


def alerts() -> list[Json]:
    rules = yaml.safe_load((FILES / "alerts.yaml").read_text())
    return [rule for group in rules["groups"] for rule in group["rules"]]
