"""`python -m mlworkflow.ui`: the page for a team, in a Pod. Its settings are variables of the environment, which the chart sets (docs/ui.md).

MLWF_UI_API_SERVER       the API server; default: the one of this cluster
MLWF_UI_CA               its certificate authority, a file; default: the system's
MLWF_UI_NAMESPACES       namespaces to look into for those who may not look into all, comma separated
MLWF_UI_OPERATOR_NAMESPACE where the operator is; default: found by its labels
MLWF_UI_URL              the address of the page, https://…; OpenID Connect needs it
MLWF_UI_TOKENS           false: nobody signs in with a Kubernetes token
MLWF_UI_OIDC_ISSUER, …_CLIENT_ID, …_SCOPES, …_NAME, and the files …_CLIENT_SECRET and …_CA
MLWF_UI_PORT             default 8080
MLWF_UI_TLS_CERT, …_KEY  files, to serve HTTPS itself
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import uvicorn
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from mlworkflow.core.errors import UsageError
from mlworkflow.kube.auth import FixedAuth
from mlworkflow.kube.config import ClusterConfig, ConfigError, server_trust
from mlworkflow.ui.app import make_app
from mlworkflow.ui.oidc import OidcSignIn, Provider, Settings
from mlworkflow.ui.team import TeamDoor

HEALTH = "/healthz"
_BEFORE = "MLWF_UI_"


class Said(Protocol):
    """A setting by its name."""

    def __call__(self, name: str, default: str = "") -> str: ...


def team_app(environ: Mapping[str, str]) -> ASGIApp:
    """The page as the environment says. Raises UsageError, ConfigError."""

    def said(name: str, default: str = "") -> str:
        return environ.get(f"{_BEFORE}{name}", "").strip() or default

    url = said("URL").rstrip("/")
    issuer = said("OIDC_ISSUER")
    if url and urlsplit(url).scheme not in ("http", "https"):
        raise UsageError(f"{_BEFORE}URL={url}: an address begins with https://")
    if issuer and not (url and said("OIDC_CLIENT_ID")):
        raise UsageError(f"{_BEFORE}OIDC_ISSUER needs {_BEFORE}URL and {_BEFORE}OIDC_CLIENT_ID")
    door = TeamDoor(
        _cluster(said, environ),
        namespaces=tuple(name.strip() for name in said("NAMESPACES").split(",") if name.strip()),
        operator_namespace=said("OPERATOR_NAMESPACE") or None,
        provider=said("OIDC_NAME", "single sign-on") if issuer else "",
        takes_tokens=said("TOKENS", "true") != "false",
        is_secure=url.startswith("https://"),
    )
    extra = [Route(HEALTH, _healthy)]
    if issuer:
        authority = said("OIDC_CA")
        settings = Settings(
            issuer=issuer,
            client_id=said("OIDC_CLIENT_ID"),
            client_secret=Path(secret).read_text().strip() if (secret := said("OIDC_CLIENT_SECRET")) else "",
            url=url,
            scopes=said("OIDC_SCOPES", "openid profile email"),
            trust=server_trust(Path(authority).read_bytes()) if authority else None,
        )
        extra += OidcSignIn(Provider(settings), door).routes()
    return make_app(door, hosts={urlsplit(url).netloc} if url else None, extra=extra, open_paths={HEALTH})


def _cluster(ask: Said, environ: Mapping[str, str]) -> ClusterConfig:
    host, port = environ.get("KUBERNETES_SERVICE_HOST", ""), environ.get("KUBERNETES_SERVICE_PORT", "443")
    server = ask("API_SERVER", f"https://{f'[{host}]' if ':' in host else host}:{port}" if host else "")
    if not server:
        raise UsageError(f"{_BEFORE}API_SERVER is not set, and this is not a Pod")
    authority = ask("CA")
    trust = server_trust(Path(authority).read_bytes() if authority else None) if server.startswith("https") else None
    return ClusterConfig(server=server, ssl_context=trust, auth=FixedAuth())


async def _healthy(_: Request) -> PlainTextResponse:
    return PlainTextResponse("ok\n")


def main(environ: Mapping[str, str] = os.environ) -> None:
    """Serve until SIGTERM."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    try:
        app = team_app(environ)
    except (UsageError, ConfigError, OSError) as error:
        sys.exit(f"mlworkflow.ui: {error}")
    uvicorn.run(
        app,
        host="",  # every address, of both families
        port=int(environ.get(f"{_BEFORE}PORT") or 8080),
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=True,
        forwarded_allow_ips="*",  # it is told the scheme alone, and says no more than whether a cookie is Secure
        ssl_certfile=environ.get(f"{_BEFORE}TLS_CERT") or None,
        ssl_keyfile=environ.get(f"{_BEFORE}TLS_KEY") or None,
        timeout_graceful_shutdown=5,
    )


if __name__ == "__main__":
    main()
