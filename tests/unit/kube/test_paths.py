"""Paths and back, and delays."""

import pytest
from mlworkflow.kube.backoff import Backoff
from mlworkflow.kube.objects import namespaced_name, resource_version
from mlworkflow.kube.paths import MLWORKFLOWS, NAMESPACES, PODS, resource_of


@pytest.mark.parametrize(
    ("path", "text", "about"),
    [
        (PODS.path(), "/api/v1/pods", "pods"),
        (PODS.path("ns"), "/api/v1/namespaces/ns/pods", "pods"),
        (PODS.path("ns", "a", "log"), "/api/v1/namespaces/ns/pods/a/log", "pods/log"),
        (NAMESPACES.path(), "/api/v1/namespaces", "namespaces"),
        (NAMESPACES.path(None, "ns"), "/api/v1/namespaces/ns", "namespaces"),
        (
            MLWORKFLOWS.path("ns", "a", "status"),
            "/apis/mlworkflow.io/v1alpha1/namespaces/ns/mlworkflows/a/status",
            "mlworkflows/status",
        ),
        ("/version", "/version", "/version"),
        ("/openid/v1/jwks", "/openid/v1/jwks", "/openid/v1/jwks"),
        ("/apis", "/apis", "/apis"),
        ("", "", ""),
    ],
)
def test_a_path_and_what_it_is_about(path: str, text: str, about: str) -> None:
    assert path == text
    assert resource_of(path) == about


def test_delays_double_up_to_the_cap_and_jitter_by_half() -> None:
    assert [Backoff(1, 5, random=lambda: 1.0).delay(n) for n in (1, 2, 3, 4, 10_000)] == [1, 2, 4, 5, 5]
    assert Backoff(1, 5, random=lambda: 0.0).delay(3) == 2


def test_facts_of_objects() -> None:
    assert namespaced_name({"metadata": {"name": "a", "namespace": "ns"}}) == "ns/a"
    assert namespaced_name({"metadata": {"name": "a"}}) == "a"
    assert resource_version({"metadata": {"resourceVersion": "12"}}) == 12
    assert resource_version({"metadata": {}}) == 0
