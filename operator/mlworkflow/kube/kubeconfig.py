"""Kubeconfig files, as kubectl reads them: merged in order, the first to name a thing wins.

What we cannot do (impersonation, `tls-server-name`, passwords, the removed auth providers) is refused by name, never
ignored.
"""

import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from mlworkflow.kube.auth import Auth, ExecPlugin, FixedAuth, TokenFile, bearer, decoded, load_client_certificate
from mlworkflow.kube.config import ClusterConfig, ConfigError, server_trust
from mlworkflow.kube.objects import Json

_SECTIONS = ("clusters", "contexts", "users")
_ENTRY = {"clusters": "cluster", "contexts": "context", "users": "user"}
_REFUSED = {"as", "as-groups", "as-uid", "auth-provider", "username", "password", "tls-server-name"}


def kubeconfig_config(paths: Sequence[Path], context: str | None = None) -> ClusterConfig:
    """The cluster and user of `context`, or of the current one. Raises ConfigError."""
    merged = _merged(paths)
    name = context or merged["current-context"]
    if not name:
        raise ConfigError(f"{_names(paths)}: no current-context, and none was asked for")
    chosen = _entry(merged, "contexts", name, paths)
    cluster = _entry(merged, "clusters", chosen.get("cluster", ""), paths)
    user = _entry(merged, "users", chosen["user"], paths) if chosen.get("user") else {}
    if refused := sorted(_REFUSED & (user.keys() | cluster.keys())):
        raise ConfigError(f"{_names(paths)}: context {name!r} uses {', '.join(refused)}, which is not supported")
    server = str(cluster.get("server") or "").rstrip("/")
    if not server.startswith(("http://", "https://")):
        raise ConfigError(f"{_names(paths)}: cluster {chosen['cluster']!r} has no http(s) server")
    trust = _trust(cluster, user) if server.startswith("https://") else None
    return ClusterConfig(
        server=server,
        ssl_context=trust,
        auth=_auth(user, cluster, trust),
        namespace=chosen.get("namespace") or "default",
        proxy=cluster.get("proxy-url"),
    )


def _merged(paths: Sequence[Path]) -> Json:
    """All the files as one, its sections as {name: entry}; an entry's `folder` is what its paths are relative to."""
    merged: Json = {"current-context": None} | {section: {} for section in _SECTIONS}
    existing = [path for path in paths if path.is_file()]
    if not existing:
        raise ConfigError(f"{_names(paths)}: no such file")
    for path in existing:
        try:
            document = yaml.safe_load(path.read_text()) or {}
            merged["current-context"] = merged["current-context"] or document.get("current-context")
            for section in _SECTIONS:
                for entry in document.get(section) or []:
                    values = (entry.get(_ENTRY[section]) or {}) | {"folder": path.absolute().parent}
                    merged[section].setdefault(entry["name"], values)
        except (OSError, yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
            raise ConfigError(f"{path} is not a kubeconfig: {error}") from error
    return merged


def _entry(merged: Json, section: str, name: str, paths: Sequence[Path]) -> Json:
    try:
        entry: Json = merged[section][name]
    except KeyError:
        known = ", ".join(sorted(merged[section])) or "none"
        raise ConfigError(f"{_names(paths)}: no {_ENTRY[section]} {name!r} (there is: {known})") from None
    return entry


def _trust(cluster: Json, user: Json) -> ssl.SSLContext:
    verify = not cluster.get("insecure-skip-tls-verify")
    context = server_trust(_data(cluster, "certificate-authority"), verify=verify)
    certificate, key = _data(user, "client-certificate"), _data(user, "client-key")
    if certificate and key:
        try:
            load_client_certificate(context, certificate, key)
        except ssl.SSLError as error:
            raise ConfigError(f"the client certificate cannot be used: {error}") from error
    return context


def _auth(user: Json, cluster: Json, trust: ssl.SSLContext | None) -> Auth:
    if user.get("token"):
        return FixedAuth(bearer(str(user["token"])))
    if user.get("tokenFile"):
        return TokenFile(user["folder"] / user["tokenFile"])
    if user.get("exec"):
        return _plugin(user["exec"], user["folder"], cluster, trust)
    return FixedAuth()


def _plugin(spec: Json, folder: Path, cluster: Json, trust: ssl.SSLContext | None) -> ExecPlugin:
    command = str(spec["command"])
    if "/" in command:
        command = str(folder / command)
    about: dict[str, Any] = {"interactive": False}
    if spec.get("provideClusterInfo"):
        fields = ("server", "certificate-authority-data", "insecure-skip-tls-verify", "proxy-url")
        about["cluster"] = {field: cluster[field] for field in fields if field in cluster}
    return ExecPlugin(
        command=[command, *map(str, spec.get("args") or [])],
        environment={pair["name"]: str(pair["value"]) for pair in spec.get("env") or []},
        info={"apiVersion": spec["apiVersion"], "kind": "ExecCredential", "spec": about},
        ssl_context=trust,
    )


def _data(entry: Json, field: str) -> bytes | None:
    """The content of a field that is given inline as `<field>-data` (which wins) or as the path of a file."""
    try:
        if inline := entry.get(f"{field}-data"):
            return decoded(inline, f"{field}-data")
        if path := entry.get(field):
            return bytes((entry["folder"] / path).read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{field}: {error}") from error
    return None


def _names(paths: Sequence[Path]) -> str:
    return ", ".join(map(str, paths))
