"""The operator's settings: what is needed, what is assumed, and which variable is to blame."""

from __future__ import annotations

from dataclasses import fields

import pytest
from mlworkflow.core.errors import UsageError
from mlworkflow.core.pods import PodSettings
from mlworkflow.engine.sharing import Limits
from mlworkflow.settings import Settings
from mlworkflow.store.garbage import Retention

NEEDED = {
    "MLWF_STORE_URL": "http://store:9000",
    "MLWF_STORE_BUCKET": "bucket",
    "MLWF_GATEWAY_URL": "http://gateway:8080",
    "MLWF_STEPS_IMAGE": "steps:1",
    "MLWF_AGENT_IMAGE": "agent:1",
}


def test_what_is_not_said_is_assumed() -> None:
    assert Settings.read(NEEDED) == Settings(
        namespaces=(),
        workers=16,
        log_level="INFO",
        log_format="text",
        events=True,
        gateway_port=8080,
        gateway_tls="",
        gateway_rate=100,
        gateway_burst=2000,
        health_port=8081,
        metrics_port=0,
        store_url="http://store:9000",
        store_bucket="bucket",
        store_region="us-east-1",
        store_path_style="auto",
        store_keys="",
        store_ca="",
        store_cloud=False,
        webhook_key="",
        webhook_hosts=frozenset(),
        signing_key="",
        openlineage=None,
        mlflow=None,
        mlflow_experiment="",
        registries=frozenset(),
        registry_secrets=False,
        limits=Limits(),
        gc_interval=86400.0,
        retention=Retention(runs=90 * 86400.0, cache=30 * 86400.0, grace=86400.0),
        pods=PodSettings("http://gateway:8080", "steps:1", "agent:1", "IfNotPresent", ""),
        member=None,
    )


def test_one_of_several_says_who_it_is_and_where() -> None:
    given = {"MLWF_MEMBER": "pod-1", "MLWF_MEMBER_NAMESPACE": "system", "MLWF_MEMBER_GROUP": "release"}
    with pytest.raises(UsageError, match="MLWF_MEMBER_ADDRESS is not set"):
        Settings.read({**NEEDED, **given})
    member = Settings.read({**NEEDED, **given, "MLWF_MEMBER_ADDRESS": "fd00::1"}).member
    assert member is not None
    assert (member.name, member.group, member.address) == ("pod-1", "release", "http://[fd00::1]:8080")
    assert member.holder.startswith("pod-1_")


def test_versions_of_models_stay_for_ever_unless_it_is_said_how_long() -> None:
    assert Settings.read(NEEDED).retention.models is None
    assert Settings.read({**NEEDED, "MLWF_RETENTION_MODELS": "90d"}).retention.models == 90 * 86400.0


@pytest.mark.parametrize(
    ("variable", "text", "field", "value"),
    [
        ("MLWF_NAMESPACES", " a, b,,c ", "namespaces", ("a", "b", "c")),
        ("MLWF_NAMESPACES", " , ", "namespaces", ()),
        ("MLWF_WORKERS", "4", "workers", 4),
        ("MLWF_WORKERS", "", "workers", 16),
        ("MLWF_LOG_LEVEL", "debug", "log_level", "DEBUG"),
        ("MLWF_GATEWAY_PORT", "9", "gateway_port", 9),
        ("MLWF_HEALTH_PORT", "10", "health_port", 10),
        ("MLWF_STORE_REGION", "eu", "store_region", "eu"),
        ("MLWF_WEBHOOK_KEY", "/etc/key", "webhook_key", "/etc/key"),
        ("MLWF_WEBHOOK_ALLOWED_HOSTS", " Hooks.local, , b", "webhook_hosts", frozenset({"hooks.local", "b"})),
        ("MLWF_REGISTRY_ENABLED", "false", "registries", None),
        ("MLWF_REGISTRY_INSECURE", "registry.local:5000, ,b", "registries", frozenset({"registry.local:5000", "b"})),
        ("MLWF_REGISTRY_PULL_SECRETS", "true", "registry_secrets", True),
        ("MLWF_PARALLELISM", "9", "limits", Limits(total=9)),
        ("MLWF_PARALLELISM", "0", "limits", Limits()),
        ("MLWF_NAMESPACE_PARALLELISM", "4", "limits", Limits(namespace=4)),
        ("MLWF_NAMESPACES_PARALLELISM", "a=1,b=20,", "limits", Limits(namespaces={"a": 1, "b": 20})),
        ("MLWF_STORE_REGION", "", "store_region", "us-east-1"),
        ("MLWF_STORE_PATH_STYLE", "virtual", "store_path_style", "virtual"),
        ("MLWF_STORE_KEYS", "/keys", "store_keys", "/keys"),
        ("MLWF_STORE_CA", "/ca.crt", "store_ca", "/ca.crt"),
        ("MLWF_STORE_PATIENCE", "1h30m", "patience", 5400.0),
        ("MLWF_STORE_PATIENCE", "", "patience", 21600.0),
        ("MLWF_IMAGE_PULL_POLICY", "Always", "pull_policy", "Always"),
        ("MLWF_IMAGE_PULL_POLICY", "", "pull_policy", "IfNotPresent"),
        ("MLWF_ALLOWED_IMPORTS", "sklearn.,mine.", "allowed_imports", "sklearn.,mine."),
    ],
)
def test_what_is_said_counts(variable: str, text: str, field: str, value: object) -> None:
    settings = Settings.read({**NEEDED, variable: text})
    owner = settings.pods if field in {known.name for known in fields(PodSettings)} else settings
    assert getattr(owner, field) == value


@pytest.mark.parametrize("variable", NEEDED)
@pytest.mark.parametrize("text", [None, ""], ids=["missing", "empty"])
def test_what_is_missing_is_named(variable: str, text: str | None) -> None:
    environ = {name: value for name, value in NEEDED.items() if name != variable}
    if text is not None:
        environ[variable] = text
    with pytest.raises(UsageError, match=variable):
        Settings.read(environ)


@pytest.mark.parametrize("text", ["90", "a day", "-1h", "59s"])
def test_how_long_steps_wait_is_a_duration_of_at_least_a_minute(text: str) -> None:
    with pytest.raises(UsageError, match=rf"MLWF_STORE_PATIENCE (must be a duration|is at least 1m00s).* not '{text}'"):
        Settings.read({**NEEDED, "MLWF_STORE_PATIENCE": text})


@pytest.mark.parametrize("variable", ["MLWF_WORKERS", "MLWF_GATEWAY_PORT", "MLWF_HEALTH_PORT"])
@pytest.mark.parametrize("text", ["many", "-1", "1.5", "²", "0x10"])
def test_what_is_no_number_is_named_with_its_text(variable: str, text: str) -> None:
    with pytest.raises(UsageError, match=f"{variable} must be a whole number, not '{text}'"):
        Settings.read({**NEEDED, variable: text})
