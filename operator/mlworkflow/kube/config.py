"""Which API server to talk to, and as whom.

Found without the `kubernetes` package, which the operator's image leaves out (50 MiB). Called once at the start by
the operator and by the command line.
"""

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlworkflow.kube.auth import Auth, TokenFile

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class ConfigError(Exception):
    """There is no usable way to the cluster; the message says which file and field."""


@dataclass(frozen=True, slots=True)
class ClusterConfig:
    """`server` has no trailing slash; `ssl_context` is None for plain HTTP; `namespace` is the context's default."""

    server: str
    ssl_context: ssl.SSLContext | None
    auth: Auth
    namespace: str = "default"
    proxy: str | None = None


def load_config(
    *, kubeconfig: Path | None = None, context: str | None = None, environ: Mapping[str, str] = os.environ
) -> ClusterConfig:
    """The cluster of `kubeconfig`; else of $KUBECONFIG; else the one this Pod runs in; else of ~/.kube/config.

    Raises ConfigError.
    """
    from mlworkflow.kube.kubeconfig import kubeconfig_config  # needs YAML, which a Pod does not

    if kubeconfig is not None:
        return kubeconfig_config([kubeconfig], context)
    named = [Path(name) for name in environ.get("KUBECONFIG", "").split(os.pathsep) if name]
    if named:
        return kubeconfig_config(named, context)
    if context is None and "KUBERNETES_SERVICE_HOST" in environ:
        return in_cluster_config(environ)
    return kubeconfig_config([Path(environ.get("HOME", "~")).expanduser() / ".kube" / "config"], context)


def in_cluster_config(environ: Mapping[str, str] = os.environ, folder: Path = SERVICE_ACCOUNT) -> ClusterConfig:
    """The cluster that this Pod runs in, as the Pod's service account. Raises ConfigError."""
    host, port = environ.get("KUBERNETES_SERVICE_HOST"), environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise ConfigError("KUBERNETES_SERVICE_HOST is not set: this is not a Pod")
    for name in ("token", "ca.crt"):
        if not (folder / name).is_file():
            raise ConfigError(f"{folder / name} is missing: does the Pod mount its service account's token?")
    namespace = folder / "namespace"
    return ClusterConfig(
        server=f"https://{f'[{host}]' if ':' in host else host}:{port}",
        ssl_context=server_trust((folder / "ca.crt").read_bytes()),
        auth=TokenFile(folder / "token"),
        namespace=namespace.read_text().strip() if namespace.is_file() else "default",
    )


def server_trust(authority: bytes | None, *, verify: bool = True) -> ssl.SSLContext:
    """A TLS context that trusts the PEM `authority` alone, or the system's when it is None. Raises ConfigError."""
    try:
        context = ssl.create_default_context(cadata=authority.decode() if authority else None)
    except (ssl.SSLError, UnicodeDecodeError, ValueError) as error:
        raise ConfigError(f"the cluster's certificate authority cannot be read: {error}") from error
    # Python 3.13 began to refuse authorities without a key identifier, which many clusters have.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
