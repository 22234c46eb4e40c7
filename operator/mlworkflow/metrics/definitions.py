"""Every metric there is: the one source of the registry, of the table in docs/operations.md (`tools/metrics_docs.py`), and of what the dashboard and the alerts
may name.

No label has values without bound: workflows, steps, Pods, people and namespaces are no labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["gauge", "counter", "histogram"]

QUICK = (0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
"""Seconds of what the operator does by itself."""
CALLS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0)
"""Seconds of what others are asked to do."""
WORK = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 21600.0, 86400.0)
"""Seconds of what users do."""
SIZES = (1e3, 4e3, 16e3, 64e3, 128e3, 256e3, 512e3, 768e3, 1e6, 1.25e6, 1.5e6)
"""Bytes of a status; etcd takes 1.5 MiB."""


@dataclass(frozen=True, slots=True, eq=False)
class Definition:
    """A metric: `name` without the endings that a counter (`_total`) and a histogram (`_bucket`, `_sum`, `_count`) get. `is_looked_up` says that somebody else
    counts, who is asked when somebody scrapes.
    """

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    is_looked_up: bool = False

    @property
    def series(self) -> tuple[str, ...]:
        """The names that a query may use."""
        endings = {"gauge": ("",), "counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}[self.kind]
        return tuple(self.name + ending for ending in endings)


def _gauge(name: str, text: str, *labels: str) -> Definition:
    return Definition(f"mlworkflow_{name}", "gauge", text, labels, is_looked_up=True)


def _counter(name: str, text: str, *labels: str, is_looked_up: bool = False) -> Definition:
    return Definition(f"mlworkflow_{name}", "counter", text, labels, is_looked_up=is_looked_up)


def _histogram(name: str, buckets: tuple[float, ...], text: str, *labels: str) -> Definition:
    return Definition(f"mlworkflow_{name}", "histogram", text, labels, buckets)


WORKFLOWS = _gauge(
    "workflows",
    "MLWorkflows that exist, by the phase in their status. Of several operators each counts all: take the maximum.",
    "phase",
)
WORKFLOW_DURATION = _histogram(
    "workflow_duration_seconds", WORK, "From the start to the end of a workflow, by how it ended.", "phase"
)
WORKFLOW_IDLE = _gauge(
    "workflow_idle_seconds",
    "Of the running workflows in which no step runs and no approval is waited for, the longest time without any change; 0 where there are none such.",
)
APPROVALS = _gauge("approvals_waiting", "Steps that wait for a person.")
STEP_DURATION = _histogram(
    "step_duration_seconds", WORK, "From the start of a step's last attempt to its end.", "kind", "phase"
)
STEPS_ENDED = _counter(
    "steps_ended",
    "Steps, items and trials that have ended.",
    "kind",
    "phase",
)
STEP_FAILURES = _counter(
    "step_failures",
    "Steps, items and trials that have ended in `Failed`, by the reason in their status; `Other` for one that neither the operator nor the kubelet nor a built-in "
    "kind has.",
    "reason",
)
STEP_RETRIES = _counter(
    "step_retries",
    "Attempts that were followed by another: `failed` by their own fault, `lost` by the infrastructure's.",
    "kind",
    "cause",
)
STEPS_RUNNING = _gauge("steps_running", "Attempts whose container runs.")
STEPS_WAITING = _gauge(
    "steps_waiting",
    "Attempts that have not begun, by what they wait for: the reason of the scheduler or the kubelet, `Creating` (a container is being created), `NotCreated` "
    "(the API server takes no Pod, such as by a quota), `Parallelism`, `Lock`; and `Transfer` for those that wait for the store or the gateway.",
    "reason",
)
STEPS_WAITING_OLDEST = _gauge(
    "steps_waiting_oldest_seconds", "How long the Pod has waited that has waited longest for its container to start."
)
CACHE_LOOKUPS = _counter(
    "cache_lookups", "Steps for which the cache was asked: `hit` or `miss`.", "outcome", is_looked_up=True
)

QUEUE_DEPTH = _gauge(
    "queue_depth", "Workflows that wait for a worker: for a turn, or for their status to be written.", "queue"
)
QUEUE_OLDEST = _gauge("queue_oldest_age_seconds", "How long the one has waited that has waited longest.", "queue")
QUEUE_IN_FLIGHT = _gauge("queue_in_flight", "Workflows that a worker is busy with.", "queue")
QUEUE_WAIT = _histogram("queue_wait_seconds", QUICK, "From when a workflow was due to when a worker took it.", "queue")
RECONCILE = _histogram(
    "reconcile_duration_seconds",
    CALLS,
    "One turn of a workflow, or one write of its status: `ok`, `api` (the API server refused or was away), `bug`.",
    "queue",
    "outcome",
)
DECIDE = _histogram("decide_duration_seconds", QUICK, "The pure part of a turn: what happens next.")
LOOP_LAG = _histogram("event_loop_lag_seconds", QUICK, "How much later than asked for the event loop came back.")

API_REQUESTS = _counter(
    "api_requests",
    "Requests to the API server; code 0 is one without an answer, 429 one that was throttled.",
    "verb",
    "resource",
    "code",
    is_looked_up=True,
)
API_DURATION = _histogram(
    "api_request_duration_seconds", CALLS, "Requests to the API server but watches, to the end.", "verb", "resource"
)
API_RETRIES = _counter("api_request_retries", "Requests to the API server that were repeated.", is_looked_up=True)
API_IN_FLIGHT = _gauge("api_requests_in_flight", "Requests to the API server under way.")
STATUS_BYTES = _histogram("status_patch_bytes", SIZES, "The size of a patch of a status.")
WATCH_AGE = _gauge(
    "watch_age_seconds", "Since the stalest watch of Pods gave a sign of life; bookmarks come every minute."
)
WATCH_OBJECTS = _gauge("watch_objects", "Pods that are known.")
WATCH_EVENTS = _counter("watch_events", "Events of watches of Pods.", is_looked_up=True)
WATCH_RESTARTS = _counter("watch_restarts", "Watches of Pods that were begun, the first among them.", is_looked_up=True)
WATCH_FAILURES = _counter("watch_failures", "Watches of Pods that were interrupted by an error.", is_looked_up=True)

STORE_UP = _gauge("store_up", "1 if the object store answered when it was last asked, every five seconds.")
STORE_REQUESTS = _counter(
    "store_requests",
    "The operator's own calls of the object store; artifacts of steps do not pass through it. `absent`: no such object; `unavailable`, `refused`.",
    "operation",
    "outcome",
)
STORE_DURATION = _histogram("store_request_duration_seconds", CALLS, "The same calls.", "operation")
STORE_BYTES = _counter("store_bytes", "Bytes that the operator itself has `read` and `written`.", "direction")

GATEWAY_REQUESTS = _counter(
    "gateway_requests", "Requests of steps and people to the gateway.", "method", "route", "code"
)
GATEWAY_DURATION = _histogram(
    "gateway_request_duration_seconds",
    CALLS,
    "The same requests; `/v1/ended` and `/v1/metrics` wait on purpose.",
    "route",
)
GATEWAY_IN_FLIGHT = _gauge("gateway_requests_in_flight", "Requests to the gateway under way.")
GATEWAY_CONNECTIONS = _gauge("gateway_connections", "Open connections to the gateway.")

MEMORY_LIMIT = _gauge("memory_limit_bytes", "What the process may use: the limit of its container, else the machine's.")
BUILD_INFO = _gauge("build_info", "1, with the versions of the operator and of Python.", "version", "python")

DEFINITIONS = tuple(value for value in list(globals().values()) if isinstance(value, Definition))
PROCESS = (
    "process_resident_memory_bytes",
    "process_virtual_memory_bytes",
    "process_cpu_seconds_total",
    "process_start_time_seconds",
    "process_open_fds",
    "process_max_fds",
)
"""What prometheus_client adds of the process."""
