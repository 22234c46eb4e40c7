"""The chart on a real cluster: its object stores run as `restricted` Pods, take the generated keys, and leave what is documented.

Each release has a namespace of its own, watches no other, and brings neither the resource definition nor the people's
roles: the cluster has one of each, perhaps with another release's workflows.
"""

import base64
import contextlib
import functools
import io
import json
import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from minio import Minio
from minio.error import S3Error
from node import api

from .conftest import Cluster, wait_for

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "mlworkflow"
RELEASE = "chart"
SERVERS = ("minio", "seaweedfs")
BASE = {
    "crds.install": "false",
    "rbac.aggregate": "false",
    "store.persistence.enabled": "false",
    "store.resources.requests.cpu": "10m",
    "operator.resources.requests.cpu": "10m",
}


class Release:
    """One installation of the chart in a namespace of its own."""

    def __init__(self, cluster: Cluster, namespace: str, helm: str) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.helm = functools.partial(cluster.run, helm, "--namespace", namespace)
        self.kubectl = functools.partial(cluster.kubectl, "--namespace", namespace)

    def upgrade(self, **values: str) -> None:
        """Install or upgrade; a value's dots are written as `__`."""
        base = BASE | {"watchNamespaces": f"{{{self.namespace}}}"}
        chosen = base | {name.replace("__", "."): value for name, value in values.items()}
        settings = [part for name, value in chosen.items() for part in ("--set", f"{name}={value}")]
        self.helm("upgrade", RELEASE, str(CHART), "--install", *settings)

    def get(self, kind: str, name: str) -> dict[str, Any]:
        return json.loads(self.kubectl("get", kind, name, "--output", "json"))

    def names(self, *kinds: str) -> set[str]:
        return set(self.kubectl("get", ",".join(kinds), "--output", "name").split())

    def secret(self, name: str) -> dict[str, str]:
        return {key: base64.b64decode(value).decode() for key, value in self.get("secret", name)["data"].items()}

    def wait_store(self, server: str) -> None:
        self.kubectl("rollout", "status", f"statefulset/{RELEASE}-mlworkflow-{server}", "--timeout=120s")

    def address(self, kind: str, name: str) -> str:
        found = self.get(kind, name)
        return found["spec"]["clusterIP"] if kind == "service" else found["status"]["podIP"]

    @contextlib.contextmanager
    def reach(self, server: str) -> Iterator[str]:
        """host:port of the store: straight where the node is ours, else through a port-forward."""
        name = f"{RELEASE}-mlworkflow-{server}"
        address = self.address("service", name)
        if is_reachable(address, 9000):
            yield f"{address}:9000"
            return
        command = ["kubectl", "--namespace", self.namespace, "port-forward", f"service/{name}", ":9000"]
        with subprocess.Popen(command, env=self.cluster.environ, stdout=subprocess.PIPE, text=True) as forward:
            assert forward.stdout
            port = forward.stdout.readline().split()[2].rpartition(":")[2]
            try:
                yield f"127.0.0.1:{port}"
            finally:
                forward.terminate()


def is_reachable(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=2).close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def stores(cluster: Cluster) -> None:
    """The images of the stores, on the node if it is ours."""
    if "KUBECONFIG" not in os.environ:
        api.ensure_images(*SERVERS)


@pytest.fixture(params=["helm3", "helm"])
def release(request: pytest.FixtureRequest, cluster: Cluster, stores: None, namespace: str) -> Iterator[Release]:
    if "KUBECONFIG" not in os.environ:
        program = str(api.binary(request.param))
    else:
        program = shutil.which(request.param) or pytest.skip(f"no {request.param} here")
    made = Release(cluster, namespace, program)
    yield made
    made.helm("uninstall", RELEASE, "--ignore-not-found")


def client(address: str, keys: dict[str, str]) -> Minio:
    return Minio(address, keys["access-key"], keys["secret-key"], secure=False, region="us-east-1")


def roundtrip(address: str, keys: dict[str, str], content: bytes) -> bytes:
    """What the store gives back after a bucket was made and an object put, as the operator and a step would."""
    store = client(address, keys)
    if not store.bucket_exists("mlworkflow"):
        store.make_bucket("mlworkflow")
    store.put_object("mlworkflow", "ns/cas/sha256/ab/cdef", io.BytesIO(content), len(content))
    with contextlib.closing(store.get_object("mlworkflow", "ns/cas/sha256/ab/cdef")) as answer:
        return answer.read()


@pytest.mark.parametrize("server", SERVERS)
def test_the_store_takes_the_generated_keys_and_an_upgrade_keeps_them(release: Release, server: str) -> None:
    release.upgrade(store__server=server)
    release.wait_store(server)
    keys = release.secret(f"{RELEASE}-mlworkflow-store")
    with release.reach(server) as address:
        assert roundtrip(address, keys, b"first" * 1000) == b"first" * 1000
        with pytest.raises(S3Error, match=r"AccessDenied|SignatureDoesNotMatch|InvalidAccessKeyId"):
            roundtrip(address, keys | {"secret-key": "not this one"}, b"")

    before = release.names("secret")
    certificate = server == "seaweedfs" and release.secret(f"{RELEASE}-mlworkflow-seaweedfs-tls")
    release.upgrade(store__server=server, operator__logLevel="debug")
    release.wait_store(server)
    assert release.secret(f"{RELEASE}-mlworkflow-store") == keys
    assert server == "minio" or release.secret(f"{RELEASE}-mlworkflow-seaweedfs-tls") == certificate
    assert {name for name in release.names("secret") if "helm.release" not in name} == {
        name for name in before if "helm.release" not in name
    }
    pod = release.get("pod", f"{RELEASE}-mlworkflow-{server}-0")
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 0
    with release.reach(server) as address:  # the Pod was not replaced: its emptyDir still has the object
        answer = client(address, keys).get_object("mlworkflow", "ns/cas/sha256/ab/cdef")
        assert answer.read() == b"first" * 1000


def test_changing_the_server_keeps_the_keys(release: Release) -> None:
    release.upgrade(store__server="minio")
    release.wait_store("minio")
    keys = release.secret(f"{RELEASE}-mlworkflow-store")
    release.upgrade(store__server="seaweedfs")
    release.wait_store("seaweedfs")
    now = release.secret(f"{RELEASE}-mlworkflow-store")
    assert {name: now[name] for name in keys} == keys
    with release.reach("seaweedfs") as address:
        assert roundtrip(address, keys, b"x") == b"x"


def test_seaweedfs_answers_nobody_but_s3_clients(release: Release) -> None:
    release.upgrade(store__server="seaweedfs")
    release.wait_store("seaweedfs")
    address = release.address("pod", f"{RELEASE}-mlworkflow-seaweedfs-0")
    if not is_reachable(address, 9000):
        pytest.skip("this cluster's Pods cannot be reached from here")
    for port in (8080, 8181, 8888, 9101, 9333, 18080, 18888, 19333):  # master, volume server, filer, their gRPC
        assert not is_reachable(address, port), port
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    # The gRPC port of S3, where identities can be added, asks for a client certificate.
    refusal = pytest.raises((ssl.SSLError, ConnectionError), match=r"(?i)certificate required|reset")
    with refusal, socket.create_connection((address, 19000), timeout=5) as plain:
        context.wrap_socket(plain).recv(1)


def test_an_uninstall_leaves_the_claim_and_nothing_else(release: Release) -> None:
    release.upgrade(store__server="minio", store__persistence__enabled="true", store__persistence__size="1Gi")
    claim = f"persistentvolumeclaim/{RELEASE}-mlworkflow-minio"
    assert claim in release.names("persistentvolumeclaim")
    release.helm("uninstall", RELEASE, "--wait")
    kinds = ("all", "configmap", "secret", "serviceaccount", "role", "rolebinding", "persistentvolumeclaim")
    given = {"configmap/kube-root-ca.crt", "serviceaccount/default"}
    wait_for(lambda: release.names(*kinds) - given == {claim}, 30, lambda: release.names(*kinds))
    assert RELEASE not in release.kubectl("get", "clusterrole,clusterrolebinding", "--output", "name").replace(
        ":", "/"
    ).split("/")

    release.upgrade(store__server="minio", store__persistence__enabled="true", store__persistence__size="1Gi")
    assert claim in release.names("persistentvolumeclaim")  # the same release takes it back


def test_data_outlives_the_pod_and_the_release(release: Release, tmp_path: Path) -> None:
    """On our own node alone: a PersistentVolume on its disk, made here, since it has no provisioner."""
    if "KUBECONFIG" in os.environ:
        pytest.skip("needs the node of tests/node")
    folder = Path("/var/tmp") / f"{release.namespace}-disk"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": release.namespace},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "hostPath": {"path": str(folder)},
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": release.namespace,
        },
    }
    manifest = tmp_path / "volume.json"
    manifest.write_text(json.dumps(volume))
    release.kubectl("apply", "--filename", str(manifest))
    values = {
        "store__persistence__enabled": "true",
        "store__persistence__size": "1Gi",
        "store__persistence__storageClass": release.namespace,
    }
    try:
        release.upgrade(**values)
        release.wait_store("minio")
        keys = release.secret(f"{RELEASE}-mlworkflow-store")
        with release.reach("minio") as address:
            assert roundtrip(address, keys, b"kept") == b"kept"
        release.helm("uninstall", RELEASE, "--wait")
        release.upgrade(**values)
        release.wait_store("minio")
        fresh = release.secret(f"{RELEASE}-mlworkflow-store")
        assert fresh != keys
        with release.reach("minio") as address:
            assert client(address, fresh).get_object("mlworkflow", "ns/cas/sha256/ab/cdef").read() == b"kept"
    finally:
        release.helm("uninstall", RELEASE, "--ignore-not-found", "--wait")
        release.kubectl("delete", "persistentvolumeclaim", "--all", "--wait=false")
        release.kubectl("delete", "persistentvolume", release.namespace, "--wait=false")
        subprocess.run(["rm", "-rf", str(folder)], check=False)


def test_an_artifact_reader_reaches_the_gateway_alone(release: Release) -> None:
    release.upgrade()
    role = f"{RELEASE}-mlworkflow-artifact-reader"
    release.kubectl("create", "rolebinding", "reader", f"--role={role}", "--user=jane")

    def may(verb: str, name: str) -> bool:
        question = ["auth", "can-i", verb, f"services/{name}", "--subresource=proxy", "--as=jane"]
        return release.kubectl(*question, check=False).startswith("yes")

    gateway = f"{RELEASE}-mlworkflow-gateway"
    assert all(
        may("get", name) for name in (gateway, f"{gateway}:http", f"http:{gateway}:http", f"http:{gateway}:8080")
    )
    assert not may("create", f"http:{gateway}:http")
    assert not may("get", f"http:{RELEASE}-mlworkflow-minio:s3")


def test_the_operator_may_do_what_it_needs_and_no_more(release: Release) -> None:
    release.upgrade()
    account = f"--as=system:serviceaccount:{release.namespace}:{RELEASE}-mlworkflow"

    def may(*question: str) -> bool:
        return release.kubectl("auth", "can-i", *question, account, check=False).startswith("yes")

    assert may("create", "pods")
    assert may("get", "pods", "--subresource=log")
    assert may("get", "/openid/v1/jwks")
    assert not may("create", "pods", "--namespace=default")
    assert not may("patch", "pods")
    assert not may("get", "secrets")
