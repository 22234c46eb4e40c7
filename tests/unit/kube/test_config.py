"""Finding the cluster: in a Pod, by kubeconfig files, and what is said when that fails."""

import base64
import json
import ssl
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml
from mlworkflow.kube.auth import ExecPlugin, FixedAuth, TokenFile
from mlworkflow.kube.config import ClusterConfig, ConfigError, in_cluster_config, load_config
from mlworkflow.kube.errors import Unauthorized
from mlworkflow.kube.kubeconfig import kubeconfig_config

AUTHORITY = Path(ssl.get_default_verify_paths().cafile or "/etc/ssl/certs/ca-certificates.crt")
Json = dict[str, Any]


def a_kubeconfig(path: Path, user: Json | None = None, cluster: Json | None = None, **fields: Any) -> Path:
    document = {
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "team"}}],
        "clusters": [{"name": "c", "cluster": {"server": "http://host:8080/prefix/"} | (cluster or {})}],
        "users": [{"name": "u", "user": user or {}}],
    }
    path.write_text(yaml.safe_dump(document | fields))
    return path


def a_plugin(folder: Path, body: str) -> Path:
    plugin = folder / "plugin"
    plugin.write_text(f"#!/bin/sh\n{body}\n")
    plugin.chmod(plugin.stat().st_mode | stat.S_IXUSR)
    return plugin


@pytest.fixture
def service_account(tmp_path: Path) -> Path:
    folder = tmp_path / "serviceaccount"
    folder.mkdir()
    (folder / "token").write_text("secret\n")
    (folder / "namespace").write_text("mlworkflow")
    (folder / "ca.crt").write_bytes(AUTHORITY.read_bytes())
    return folder


@pytest.mark.parametrize(
    ("host", "server"), [("10.0.0.1", "https://10.0.0.1:6443"), ("fd00::1", "https://[fd00::1]:6443")]
)
async def test_a_pod_knows_its_cluster(service_account: Path, host: str, server: str) -> None:
    environ = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": "6443"}
    config = in_cluster_config(environ, service_account)
    assert (config.server, config.namespace) == (server, "mlworkflow")
    assert config.ssl_context
    assert config.ssl_context.verify_mode == ssl.CERT_REQUIRED
    assert await config.auth.headers() == {"Authorization": "Bearer secret"}


def test_a_pod_without_a_token_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="mount its service account"):
        in_cluster_config({"KUBERNETES_SERVICE_HOST": "h"}, tmp_path)
    with pytest.raises(ConfigError, match="not a Pod"):
        in_cluster_config({}, tmp_path)


async def test_a_token_file_is_read_again_when_due_or_rejected(tmp_path: Path) -> None:
    now = 0.0
    path = tmp_path / "token"
    auth = TokenFile(path, reread_every=60, now=lambda: now)
    with pytest.raises(Unauthorized):
        await auth.headers()
    path.write_text("one")
    first = await auth.headers()
    path.write_text("two")
    assert await auth.headers() == first
    second = await auth.headers(rejected=first)
    assert second == {"Authorization": "Bearer two"}
    path.write_text("three")
    assert await auth.headers(rejected=first) == second
    now = 60
    assert await auth.headers() == {"Authorization": "Bearer three"}


async def test_the_kubeconfig_that_is_named_wins(tmp_path: Path) -> None:
    home = tmp_path / ".kube"
    home.mkdir()
    a_kubeconfig(home / "config", {"token": "home"})
    environ = {"HOME": str(tmp_path)}
    assert await load_config(environ=environ).auth.headers() == {"Authorization": "Bearer home"}
    environ["KUBECONFIG"] = str(a_kubeconfig(tmp_path / "env", {"token": "env"}))
    environ["KUBERNETES_SERVICE_HOST"] = "in-a-pod"
    assert await load_config(environ=environ).auth.headers() == {"Authorization": "Bearer env"}
    named = a_kubeconfig(tmp_path / "named", {"token": "named"})
    assert await load_config(kubeconfig=named, environ=environ).auth.headers() == {"Authorization": "Bearer named"}
    del environ["KUBECONFIG"]
    with pytest.raises(ConfigError):
        load_config(environ=environ)  # the Pod's own, whose token is missing here


async def test_the_fields_of_a_context(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from a file")
    path = a_kubeconfig(tmp_path / "config", {"tokenFile": "secret"}, {"proxy-url": "http://proxy:3128"})
    config = kubeconfig_config([path])
    assert (config.server, config.namespace, config.proxy, config.ssl_context) == (
        "http://host:8080/prefix", "team", "http://proxy:3128", None,
    )  # fmt: skip
    assert await config.auth.headers() == {"Authorization": "Bearer from a file"}


def test_authorities_are_read_inline_or_from_files(tmp_path: Path) -> None:
    (tmp_path / "ca").write_bytes(AUTHORITY.read_bytes())
    inline = base64.b64encode(AUTHORITY.read_bytes()).decode()
    for field in ({"certificate-authority": "ca"}, {"certificate-authority-data": inline}):
        context = kubeconfig_config(
            [a_kubeconfig(tmp_path / "config", {}, {"server": "https://h"} | field)]
        ).ssl_context
        assert context
        assert context.cert_store_stats()["x509_ca"] > 0
        assert context.check_hostname
    careless = kubeconfig_config(
        [a_kubeconfig(tmp_path / "config", {}, {"server": "https://h", "insecure-skip-tls-verify": True})]
    ).ssl_context
    assert careless
    assert careless.verify_mode == ssl.CERT_NONE


def test_files_are_merged_and_the_first_to_name_a_thing_wins(tmp_path: Path) -> None:
    first = tmp_path / "first"
    first.write_text(yaml.safe_dump({"clusters": [{"name": "c", "cluster": {"server": "http://first"}}]}))
    second = a_kubeconfig(tmp_path / "second")
    assert kubeconfig_config([first, tmp_path / "missing", second]).server == "http://first"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"user": {"auth-provider": {}}}, "auth-provider"),
        ({"user": {"as": "root", "username": "x"}}, "as, username"),
        ({"cluster": {"tls-server-name": "x"}}, "tls-server-name"),
        ({"cluster": {"server": ""}}, "no http"),
        ({"cluster": {"server": "https://h", "certificate-authority-data": "%"}}, "not base64"),
        ({"cluster": {"server": "https://h", "certificate-authority-data": "eA=="}}, "certificate authority"),
        ({"cluster": {"server": "https://h", "certificate-authority": "missing"}}, "No such file"),
        ({"users": []}, "no user 'u'"),
        ({"contexts": []}, "no context 'here'"),
        ({"current-context": ""}, "no current-context"),
        ({"users": [1]}, "not a kubeconfig"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, change: Json, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        kubeconfig_config([a_kubeconfig(tmp_path / "config", **change)])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere: no such file"):
        load_config(kubeconfig=tmp_path / "nowhere")


async def test_a_plugin_gives_tokens_until_they_expire_or_are_rejected(tmp_path: Path) -> None:
    a_plugin(
        tmp_path,
        'echo x >> "$COUNT"; n=$(wc -l < "$COUNT" | tr -d " ")\n'
        'echo "$KUBERNETES_EXEC_INFO" > "$COUNT.info"\n'
        'echo "{\\"status\\": {\\"token\\": \\"$1-$n\\", \\"expirationTimestamp\\": \\"2030-01-01T00:00:00Z\\"}}"',
    )
    execute = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "./plugin",
        "args": ["t"],
        "env": [{"name": "COUNT", "value": str(tmp_path / "count")}],
        "provideClusterInfo": True,
    }
    auth = kubeconfig_config([a_kubeconfig(tmp_path / "config", {"exec": execute})]).auth
    assert isinstance(auth, ExecPlugin)
    auth.now = lambda: 0.0
    first = await auth.headers()
    assert first is await auth.headers()
    assert first == {"Authorization": "Bearer t-1"}
    info = json.loads((tmp_path / "count.info").read_text())
    assert (info["kind"], info["spec"]["cluster"]["server"]) == ("ExecCredential", "http://host:8080/prefix/")
    second = await auth.headers(rejected=first)
    assert second == await auth.headers(rejected=first) == {"Authorization": "Bearer t-2"}
    auth.now = lambda: 1893456000.0 - 59
    assert await auth.headers() == {"Authorization": "Bearer t-3"}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("echo no luck >&2; exit 3", "exited with 3: no luck"),
        ("echo {}", "did not print"),
        ("echo '{\"status\": 1}'", "did not print"),
        ("exec sleep 5", "did not end"),
    ],
)
async def test_a_plugin_that_fails_says_why(tmp_path: Path, body: str, words: str) -> None:
    auth = ExecPlugin([str(a_plugin(tmp_path, body))], {}, {}, None, timeout=0.1)
    with pytest.raises(Unauthorized, match=words):
        await auth.headers()


async def test_a_plugin_that_is_missing_says_so() -> None:
    with pytest.raises(Unauthorized, match="does not start"):
        await ExecPlugin(["/nonexistent"], {}, {}, None).headers()


async def test_no_credentials_are_fine() -> None:
    assert await ClusterConfig("http://h", None, FixedAuth()).auth.headers() == {}
