"""Renders the chart with real Helm, 3 and 4, and gives the manifests to the tests. No cluster is asked anything.

`render` is a function of values; every test that takes it runs once per Helm. The programs are those of tests/node,
else the machine's own; where there is neither, the tests are skipped.
"""

import copy
import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
CHART = ROOT / "charts" / "mlworkflow"
Manifest = dict[str, Any]


class Refused(Exception):
    """Helm said no; the text is what it said."""


class Manifests(list[Manifest]):
    """What one rendering made, in order."""

    def of_kind(self, kind: str) -> list[Manifest]:
        return [manifest for manifest in self if manifest["kind"] == kind]

    def one(self, kind: str, name: str = "") -> Manifest:
        found = [manifest for manifest in self.of_kind(kind) if not name or manifest["metadata"]["name"] == name]
        assert len(found) == 1, f"{len(found)} of kind {kind} and name {name or 'any'}"
        return found[0]

    def pods(self) -> dict[str, Manifest]:
        """The Pod templates, by the name of what owns them."""
        return {
            manifest["metadata"]["name"]: manifest["spec"]["template"]
            for manifest in self
            if "template" in manifest.get("spec", {})
        }


VALUE_SETS: dict[str, dict[str, Any]] = {
    "the defaults": {},
    "minio without a claim": {"store": {"persistence": {"enabled": False}}},
    "seaweedfs": {"store": {"server": "seaweedfs"}},
    "seaweedfs without a claim": {"store": {"server": "seaweedfs", "persistence": {"enabled": False}}},
    "seaweedfs with the user's Secret and claim": {
        "store": {"server": "seaweedfs", "existingSecret": "mine", "persistence": {"existingClaim": "disk"}},
    },
    "an external store with keys and a private CA": {
        "store": {
            "server": "external",
            "external": {"url": "https://s3.example.com"},
            "existingSecret": "keys",
            "region": "eu-west-1",
            "pathStyle": "virtual",
            "ca": {"configMap": "company-ca", "key": "root.pem"},
        },
    },
    "an external store with a cloud identity": {
        "store": {"server": "external", "external": {"url": "https://s3.eu-west-1.amazonaws.com"}},
        "serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/mlw"}},
    },
    "two watched namespaces": {"watchNamespaces": ["team-a", "team-b"]},
    "everything that can be added to Pods": {
        "imagePullSecrets": ["pull"],
        "operator": {
            "podLabels": {"team": "ml", "app.kubernetes.io/name": "not this"},
            "podAnnotations": {"note": "x"},
            "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
            "priorityClassName": "high",
            "nodeSelector": {"disk": "ssd"},
            "tolerations": [{"key": "gpu", "operator": "Exists"}],
            "affinity": {"nodeAffinity": {}},
            "allowedImports": ["sklearn.", "company.models."],
        },
        "store": {
            "podLabels": {"team": "ml"},
            "nodeSelector": {"disk": "ssd"},
            "tolerations": [{"operator": "Exists"}],
            "extraEnv": [{"name": "MINIO_PROMETHEUS_AUTH_TYPE", "value": "public"}],
        },
    },
    "the page": {
        "ui": {
            "enabled": True,
            "url": "https://ml.example.com",
            "oidc": {
                "issuer": "https://id.example.com",
                "clientId": "page",
                "existingSecret": "oidc",
                "caConfigMap": "id-ca",
            },
            "tlsSecret": "page-tls",
            "ingress": {"enabled": True, "host": "ml.example.com", "tlsSecret": "page-tls"},
            "podLabels": {"team": "ml"},
        },
        "networkPolicy": {"enabled": True},
    },
    "a closed network and TLS": {
        "watchNamespaces": ["team-a", "team-b"],
        "gateway": {"tls": {"enabled": True}},
        "networkPolicy": {
            "enabled": True,
            "apiServer": {"cidrs": ["10.0.0.1/32"]},
            "steps": {"enabled": True, "egress": [{"to": [{"ipBlock": {"cidr": "10.1.0.0/16"}}]}]},
        },
    },
    "an external store with its authority": {
        "store": {
            "server": "external",
            "external": {
                "url": "https://s3.example.com",
                "auth": "iam",
                "caBundle": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
            },
        },
        "networkPolicy": {"enabled": True},
    },
    "several operators in a closed network": {"operator": {"replicas": 3}, "networkPolicy": {"enabled": True}},
    "no fixed user, as OpenShift wants it": {"security": {"runAsUser": None, "runAsGroup": None, "fsGroup": None}},
}


@functools.cache
def program(name: str) -> str | None:
    sys.path.insert(0, str(ROOT / "tests"))
    from node import api

    try:
        return str(api.binary(name))
    except api.NodeError:  # no Go, no network
        return shutil.which(name)


def run(*command: str, text: str = "") -> str:
    environment = {**os.environ, "KUBECONFIG": "/nonexistent", "HELM_CONFIG_HOME": "/nonexistent"}
    done = subprocess.run(command, input=text, capture_output=True, text=True, env=environment, timeout=60, check=False)
    if done.returncode:
        raise Refused(done.stderr + done.stdout)
    return done.stdout


@functools.cache
def runner(name: str) -> Callable[..., str]:
    found = program(name)
    if found is None:
        pytest.fail(f"no {name} here, and `python3 tests/node build {name}` did not make one", pytrace=False)
    return functools.partial(run, found)


@pytest.fixture(params=["helm3", "helm"])
def helm(request: pytest.FixtureRequest) -> Callable[..., str]:
    """Runs helm with the arguments, `text` on its standard input."""
    return runner(request.param)


@pytest.fixture
def helm4() -> Callable[..., str]:
    return runner("helm")


@functools.cache
def parsed(helm: Callable[..., str], arguments: tuple[str, ...], text: str) -> Manifests:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return Manifests(filter(None, yaml.load_all(helm(*arguments, text=text), loader)))


@pytest.fixture
def render(helm: Callable[..., str]) -> Callable[..., Manifests]:
    def rendered(values: dict[str, Any] | None = None, *, release: str = "rel", namespace: str = "ml") -> Manifests:
        names = (release, str(CHART), "--namespace", namespace)
        arguments = ("template", *names, "--kube-version", "1.37.0", "--values", "-")
        return copy.deepcopy(parsed(helm, arguments, yaml.safe_dump(values or {})))

    return rendered


@pytest.fixture
def refused() -> type[Refused]:
    return Refused


@pytest.fixture(params=VALUE_SETS.values(), ids=VALUE_SETS.keys())
def values(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Each of the value sets in turn."""
    return request.param


@pytest.fixture
def chart() -> Path:
    return CHART
