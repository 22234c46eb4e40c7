#!/usr/bin/env python3
"""Writes the dashboard of Grafana that the chart brings: rows of panels, each the answer to a question that somebody has at 3 a.m.

`dashboard.py` writes charts/mlworkflow/files/dashboard.json, `dashboard.py --check` only says whether it is current (exit code 1 if not).
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parent.parent / "charts" / "mlworkflow" / "files" / "dashboard.json"
WIDTH = 24
RATE = "[$__rate_interval]"
JOB = '{job=~"$job"}'

Query = tuple[str, str]
"""An expression, in which `{job}` stands for the selector of the operators, and its legend."""
Panel = tuple[str, str, str, list[Query]]
"""Title, question, unit, queries. A title that ends in `!` is a number, the others are graphs."""


def quantiles(metric: str, by: str = "", wanted: tuple[float, ...] = (0.5, 0.99)) -> list[Query]:
    """Of a histogram, one line for each quantile and value of `by`."""
    labels = f"le, {by}" if by else "le"
    legend = "".join(f" {{{{{label.strip()}}}}}" for label in by.split(",") if label)
    return [
        (
            f"histogram_quantile({q}, sum by ({labels}) (rate({metric}_bucket$J{RATE})))",
            f"p{q * 100:g}{legend}",
        )
        for q in wanted
    ]


def events(counter: str, by: str) -> Query:
    """What has happened in five minutes, by a label."""
    return f"sum by ({by}) (increase({counter}$J[5m]))", f"{{{{{by}}}}}"


def rates(counter: str, by: str) -> Query:
    """What happens in a second, by a label."""
    return f"sum by ({by}) (rate({counter}$J{RATE}))", " ".join(f"{{{{{each.strip()}}}}}" for each in by.split(","))


ROWS: list[tuple[str, list[Panel]]] = [
    (
        "Is it alive?",
        [
            ("Operators!", "How many are scraped?", "none", [("count(mlworkflow_build_info$J)", "")]),
            ("Object store!", "Does it answer? 1: yes", "none", [("min(mlworkflow_store_up$J)", "")]),
            ("Silence of the Pod watch!", "Bookmarks come every minute; 3 minutes restart the operator.", "s", [("max(mlworkflow_watch_age_seconds$J)", "")]),
            ("Oldest in a queue!", "Does it get to its work?", "s", [("max(mlworkflow_queue_oldest_age_seconds$J)", "")]),
            ("Memory of the limit!", "It is killed at 100 %.", "percentunit", [("max(process_resident_memory_bytes$J / mlworkflow_memory_limit_bytes$J)", "")]),
            ("Up since!", "Was it restarted?", "s", [("min(time() - process_start_time_seconds$J)", "")]),
        ],
    ),
    (
        "What is going on?",
        [
            ("Workflows", "How many are there, and how do they stand?", "short", [("max by (phase) (mlworkflow_workflows$J)", "{{phase}}")]),
            ("Steps", "How many run, how many wait to begin?", "short", [("sum(mlworkflow_steps_running$J)", "running"), ("sum(mlworkflow_steps_waiting$J)", "waiting"), ("sum(mlworkflow_approvals_waiting$J)", "waiting for a person")]),
            ("What steps wait for", "Nodes, images, quotas, limits, locks, the store?", "short", [("sum by (reason) (mlworkflow_steps_waiting$J) > 0 or sum(mlworkflow_steps_waiting$J)", "{{reason}}")]),
            ("Longest waits", "A Pod that does not start; a running workflow in which nothing happens.", "s", [("max(mlworkflow_steps_waiting_oldest_seconds$J)", "Pod"), ("max(mlworkflow_workflow_idle_seconds$J)", "workflow")]),
        ],
    ),
    (
        "What fails, and why?",
        [
            ("Steps that end", "In five minutes, by how they end.", "short", [events("mlworkflow_steps_ended_total", "phase")]),
            ("Why steps fail", "In five minutes, by the reason in their status.", "short", [("sum by (reason) (increase(mlworkflow_step_failures_total$J[5m])) > 0 or sum(increase(mlworkflow_step_failures_total$J[5m]))", "{{reason}}")]),
            ("Attempts that are tried again", "In five minutes. `failed`: their own fault; `lost`: the infrastructure's.", "short", [events("mlworkflow_step_retries_total", "cause")]),
            ("Workflows that end", "In five minutes, by how they end.", "short", [events("mlworkflow_workflow_duration_seconds_count", "phase")]),
            ("How long workflows take", "Half of them, and 99 of 100.", "s", quantiles("mlworkflow_workflow_duration_seconds")),
            ("How long steps take", "Half of each kind.", "s", quantiles("mlworkflow_step_duration_seconds", "kind", (0.5,))),
            ("Results from the cache", "Of those that were looked for.", "percentunit", [(f'sum(rate(mlworkflow_cache_lookups_total{{job=~"$job", outcome="hit"}}{RATE})) / sum(rate(mlworkflow_cache_lookups_total$J{RATE}))', "hits")]),
        ],
    ),
    (
        "Does the operator keep up?",
        [
            ("Queues", "How many workflows wait for a worker?", "short", [("sum by (queue) (mlworkflow_queue_depth$J)", "{{queue}}"), ("sum by (queue) (mlworkflow_queue_in_flight$J)", "{{queue}}, in work")]),
            ("Wait for a worker", "99 of 100 wait less.", "s", quantiles("mlworkflow_queue_wait_seconds", "queue", (0.99,))),
            ("Turns", "How long, of each queue.", "s", quantiles("mlworkflow_reconcile_duration_seconds", "queue", (0.99,))),
            ("Outcome of turns", "In five minutes. `api`: the API server refused or was away; `bug`: ours.", "short", [events("mlworkflow_reconcile_duration_seconds_count", "outcome")]),
            ("Deciding", "The pure part of a turn.", "s", quantiles("mlworkflow_decide_duration_seconds")),
            ("Lag of the event loop", "Above 0.5 s it lacks CPU.", "s", quantiles("mlworkflow_event_loop_lag_seconds")),
            ("CPU", "Cores in use.", "short", [(f"sum by (instance) (rate(process_cpu_seconds_total$J{RATE}))", "{{instance}}")]),
            ("Memory", "In use, and what may be used.", "bytes", [("process_resident_memory_bytes$J", "{{instance}}"), ("mlworkflow_memory_limit_bytes$J", "limit of {{instance}}")]),
        ],
    ),
    (
        "Is it the API server?",
        [
            ("Requests", "By verb and resource.", "reqps", [rates("mlworkflow_api_requests_total", "verb, resource")]),
            ("Answers", "0: none; 409 is usual; 429: throttled.", "reqps", [rates("mlworkflow_api_requests_total", "code")]),
            ("Latency", "99 of 100 take less.", "s", quantiles("mlworkflow_api_request_duration_seconds", "verb, resource", (0.99,))),
            ("Repeated, and under way", "Requests that were sent again; those without an answer yet.", "short", [(f"sum(rate(mlworkflow_api_request_retries_total$J{RATE}))", "repeated a second"), ("sum(mlworkflow_api_requests_in_flight$J)", "under way")]),
            ("Size of a status", "1.5 MiB is the end.", "bytes", quantiles("mlworkflow_status_patch_bytes")),
            ("Watches of Pods", "Begun and interrupted.", "ops", [(f"sum(rate(mlworkflow_watch_restarts_total$J{RATE}))", "begun"), (f"sum(rate(mlworkflow_watch_failures_total$J{RATE}))", "interrupted"), (f"sum(rate(mlworkflow_watch_events_total$J{RATE}))", "events")]),
        ],
    ),
    (
        "Is it the store, or the gateway?",
        [
            ("Calls of the store", "The operator's own, by outcome.", "ops", [rates("mlworkflow_store_requests_total", "outcome")]),
            ("Latency of the store", "99 of 100 take less.", "s", quantiles("mlworkflow_store_request_duration_seconds", "operation", (0.99,))),
            ("Bytes of the store", "The operator's own; artifacts do not pass through it.", "Bps", [rates("mlworkflow_store_bytes_total", "direction")]),
            ("Requests to the gateway", "5xx: steps try again; 409: an attempt that was replaced.", "reqps", [rates("mlworkflow_gateway_requests_total", "code")]),
            ("Latency of the gateway", "By route; `/v1/ended` and `/v1/metrics` wait on purpose.", "s", quantiles("mlworkflow_gateway_request_duration_seconds", "route", (0.99,))),
            ("Connections to the gateway", "Open ones, and requests under way.", "short", [("sum(mlworkflow_gateway_connections$J)", "connections"), ("sum(mlworkflow_gateway_requests_in_flight$J)", "requests")]),
        ],
    ),
]  # fmt: skip


def panels() -> Iterator[dict[str, Any]]:
    top, number = 0, 0
    for row, content in ROWS:
        number += 1
        yield {
            "id": number,
            "type": "row",
            "title": row,
            "collapsed": False,
            "panels": [],
            "gridPos": box(0, top, WIDTH, 1),
        }
        top, left = top + 1, 0
        width, height = (4, 4) if all(title.endswith("!") for title, *_ in content) else (8, 8)
        for title, question, unit, queries in content:
            if left + width > WIDTH:
                top, left = top + height, 0
            number += 1
            yield panel(number, title, question, unit, queries, box(left, top, width, height))
            left += width
        top += height


def box(left: int, top: int, width: int, height: int) -> dict[str, int]:
    return {"x": left, "y": top, "w": width, "h": height}


def panel(
    number: int, title: str, question: str, unit: str, queries: list[Query], place: dict[str, int]
) -> dict[str, Any]:
    source = {"type": "prometheus", "uid": "${datasource}"}
    is_number = title.endswith("!")
    options = (
        {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "value", "graphMode": "area"}
        if is_number
        else {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}}
    )
    return {
        "id": number,
        "type": "stat" if is_number else "timeseries",
        "title": title.rstrip("!"),
        "description": question,
        "datasource": source,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "options": options,
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": source,
                "expr": query.replace("$J", JOB),
                "legendFormat": legend,
            }
            for index, (query, legend) in enumerate(queries)
        ],
    }


def dashboard() -> dict[str, Any]:
    job = {
        "name": "job",
        "label": "Operator",
        "type": "query",
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "query": {"query": "label_values(mlworkflow_build_info, job)", "refId": "job"},
        "refresh": 2,
        "includeAll": True,
        "allValue": ".*",
        "multi": True,
        "current": {"text": "All", "value": "$__all"},
    }
    return {
        "uid": "mlworkflow",
        "title": "MLWorkflow",
        "tags": ["mlworkflow"],
        "schemaVersion": 39,
        "editable": True,
        "graphTooltip": 1,
        "time": {"from": "now-3h", "to": "now"},
        "refresh": "30s",
        "templating": {
            "list": [{"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}, job]
        },
        "panels": list(panels()),
    }


def main() -> int:
    text = json.dumps(dashboard(), indent=1, ensure_ascii=False) + "\n"
    if "--check" not in sys.argv[1:]:
        FILE.write_text(text)
    elif not FILE.exists() or FILE.read_text() != text:
        print("not current: dashboard.json; run python tools/dashboard.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
