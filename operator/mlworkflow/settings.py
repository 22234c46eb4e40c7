"""The operator's settings, read once from the environment (`MLWF_…`); the chart sets them, docs/install.md explains them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlworkflow.core import duration
from mlworkflow.core.errors import UsageError
from mlworkflow.core.pods import LEAST_PATIENCE, PodSettings
from mlworkflow.engine.lineage_sender import Endpoint
from mlworkflow.engine.mlflow_server import Server
from mlworkflow.engine.sharing import Limits
from mlworkflow.engine.trace_sender import is_wanted
from mlworkflow.kube.members.leases import Identity
from mlworkflow.store.garbage import Retention
from mlworkflow.store.presence import LEAST_GRACE


@dataclass(frozen=True, slots=True)
class Settings:
    """`namespaces` empty means all. `store_keys` is a folder with the files `access-key` and `secret-key`; empty means the Pod's cloud identity,
    and so does `store_cloud`, whatever else there is.
    `webhook_key` is the file of the key that webhooks are signed with; `webhook_hosts` may be called at whatever address.
    `signing_key` is the file of the key that statements of runs are signed with; empty: none are made.
    `mlflow` is the server that is told of runs that have ended, if any, in `mlflow_experiment` or one for each workflow.
    `openlineage` is where the operator tells what runs, if anywhere.
    `registries` says whether registries are asked what tags mean, and which of them speak http; `registry_secrets` that the `imagePullSecrets` of steps
    are read for it.
    `gateway_tls` is a folder with the files `tls.crt`, `tls.key` and perhaps `ca.crt`, which steps then trust; empty: the gateway serves without TLS.
    `gateway_rate` is how many calls a second the gateway takes from one Pod for ever (0: any number), `gateway_burst` how many at once.
    `events` says whether Kubernetes Events of workflows are written.
    `metrics_port` is where Prometheus may scrape; 0: nowhere.
    `limits` bound the Pods of all workflows, and of those of one namespace. `gc_interval` are the seconds between two garbage collections; None: there are
    none. `member` is who this is of several operators that share the work; None: it is alone.
    """

    namespaces: tuple[str, ...]
    workers: int
    log_level: str
    log_format: str
    events: bool
    gateway_port: int
    gateway_tls: str
    gateway_rate: int
    gateway_burst: int
    health_port: int
    metrics_port: int
    store_url: str
    store_bucket: str
    store_region: str
    store_path_style: str
    store_keys: str
    store_ca: str
    store_cloud: bool
    webhook_key: str
    webhook_hosts: frozenset[str]
    signing_key: str
    openlineage: Endpoint | None
    mlflow: Server | None
    mlflow_experiment: str
    registries: frozenset[str] | None
    registry_secrets: bool
    limits: Limits
    gc_interval: float | None
    retention: Retention
    pods: PodSettings
    member: Identity | None

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Settings:
        """Raises UsageError that names the variable which is missing or wrong."""

        def needed(name: str) -> str:
            if not environ.get(name):
                raise UsageError(f"the environment variable {name} is not set")
            return environ[name]

        def number(name: str, default: int) -> int:
            text = environ.get(name) or str(default)
            if not text.isdecimal():
                raise UsageError(f"{name} must be a whole number, not '{text}'")
            return int(text)

        def listed(name: str) -> tuple[str, ...]:
            return tuple(item.strip() for item in environ.get(name, "").split(",") if item.strip())

        def span(name: str, default: str, least: float = 0.0) -> float:
            return duration.setting(environ, name, default, least)

        def switch(name: str, default: str = "true") -> bool:
            text = (environ.get(name) or default).lower()
            if text not in ("true", "false"):
                raise UsageError(f"{name} must be true or false, not '{text}'")
            return text == "true"

        def one_of(name: str, *values: str) -> str:
            text = environ.get(name) or values[0]
            if text not in values:
                raise UsageError(f"{name} must be one of {', '.join(values)}, not '{text}'")
            return text

        def limit(name: str) -> int | None:
            return number(name, 0) or None

        return cls(
            namespaces=listed("MLWF_NAMESPACES"),
            workers=number("MLWF_WORKERS", 16),
            log_level=environ.get("MLWF_LOG_LEVEL", "INFO").upper(),
            events=switch("MLWF_EVENTS"),
            log_format=one_of("MLWF_LOG_FORMAT", "text", "json"),
            gateway_port=number("MLWF_GATEWAY_PORT", 8080),
            gateway_tls=environ.get("MLWF_GATEWAY_TLS", ""),
            gateway_rate=number("MLWF_GATEWAY_RATE", 100),
            gateway_burst=number("MLWF_GATEWAY_BURST", 2000),
            health_port=number("MLWF_HEALTH_PORT", 8081),
            metrics_port=number("MLWF_METRICS_PORT", 0),
            store_url=needed("MLWF_STORE_URL"),
            store_bucket=needed("MLWF_STORE_BUCKET"),
            store_region=environ.get("MLWF_STORE_REGION") or "us-east-1",
            store_path_style=environ.get("MLWF_STORE_PATH_STYLE") or "auto",
            store_keys=environ.get("MLWF_STORE_KEYS", ""),
            store_ca=environ.get("MLWF_STORE_CA", ""),
            store_cloud=environ.get("MLWF_STORE_AUTH") == "iam",
            webhook_key=environ.get("MLWF_WEBHOOK_KEY", ""),
            webhook_hosts=frozenset(host.lower() for host in listed("MLWF_WEBHOOK_ALLOWED_HOSTS")),
            openlineage=_endpoint(environ),
            mlflow=_mlflow(environ),
            mlflow_experiment=environ.get("MLWF_MLFLOW_EXPERIMENT", ""),
            signing_key=environ.get("MLWF_SIGNING_KEY", ""),
            registries=frozenset(listed("MLWF_REGISTRY_INSECURE")) if switch("MLWF_REGISTRY_ENABLED") else None,
            registry_secrets=switch("MLWF_REGISTRY_PULL_SECRETS", "false"),
            limits=Limits(
                total=limit("MLWF_PARALLELISM"),
                namespace=limit("MLWF_NAMESPACE_PARALLELISM"),
                namespaces=dict(_pair(pair) for pair in listed("MLWF_NAMESPACES_PARALLELISM")),
            ),
            gc_interval=span("MLWF_GC_INTERVAL", "24h", least=10.0) if switch("MLWF_GC_ENABLED") else None,
            retention=Retention(
                runs=span("MLWF_RETENTION_RUNS", "90d"),
                cache=span("MLWF_RETENTION_CACHE", "30d"),
                grace=span("MLWF_GC_GRACE", "24h", least=LEAST_GRACE),
                models=span("MLWF_RETENTION_MODELS", "") if environ.get("MLWF_RETENTION_MODELS") else None,
            ),
            pods=PodSettings(
                gateway=needed("MLWF_GATEWAY_URL"),
                steps_image=needed("MLWF_STEPS_IMAGE"),
                agent_image=needed("MLWF_AGENT_IMAGE"),
                pull_policy=environ.get("MLWF_IMAGE_PULL_POLICY") or "IfNotPresent",
                allowed_imports=environ.get("MLWF_ALLOWED_IMPORTS", ""),
                is_traced=is_wanted(environ),
                patience=span("MLWF_STORE_PATIENCE", "6h", least=LEAST_PATIENCE),
            ),
            member=_member(environ) if environ.get("MLWF_MEMBER") else None,
        )


def _member(environ: Mapping[str, str]) -> Identity:
    def needed(name: str) -> str:
        if not environ.get(name):
            raise UsageError(f"the environment variable {name} is not set, and MLWF_MEMBER is")
        return environ[name]

    host, port = needed("MLWF_MEMBER_ADDRESS"), environ.get("MLWF_GATEWAY_PORT") or "8080"
    scheme = "https" if environ.get("MLWF_GATEWAY_TLS") else "http"
    return Identity(
        name=needed("MLWF_MEMBER"),
        holder=f"{environ['MLWF_MEMBER']}_{uuid.uuid4()}",
        namespace=needed("MLWF_MEMBER_NAMESPACE"),
        group=needed("MLWF_MEMBER_GROUP"),
        address=f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}",
        pod_uid=environ.get("MLWF_MEMBER_UID", ""),
    )


def _endpoint(environ: Mapping[str, str]) -> Endpoint | None:
    url, key = environ.get("MLWF_OPENLINEAGE_URL", ""), environ.get("MLWF_OPENLINEAGE_KEY", "")
    if not url:
        return None
    path, namespace = environ.get("MLWF_OPENLINEAGE_ENDPOINT", ""), environ.get("MLWF_OPENLINEAGE_NAMESPACE", "")
    return Endpoint.of(url, path, namespace, key_file=Path(key) if key else None)


def _mlflow(environ: Mapping[str, str]) -> Server | None:
    url, keys = environ.get("MLWF_MLFLOW_URL", ""), environ.get("MLWF_MLFLOW_KEYS", "")
    authorities = environ.get("MLWF_MLFLOW_CA", "")
    return Server.of(url, keys=Path(keys) if keys else None, authorities=authorities) if url else None


def _pair(text: str) -> tuple[str, int]:
    """``team-a=5``."""
    name, _, limit = text.partition("=")
    if not name or not limit.isdecimal():
        raise UsageError(f"MLWF_NAMESPACES_PARALLELISM is a list of namespace=number, not '{text}'")
    return name, int(limit)
