"""MLflow's REST API, as far as it is needed: with the standard library, because its client weighs more than the operator. Synchronous: called in a thread.

Raises `Away` where it is worth trying again, `Refused` where it is not. Neither their words nor a log hold what is secret: no key, and of the address the host alone.
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Self
from urllib.parse import quote, unquote, urlencode, urlsplit

from mlworkflow.core.errors import UsageError

TIMEOUT = 30.0
API = "api/2.0/mlflow"
PROXY = "mlflow-artifacts"
_AGAIN = (401, 403, 408, 425, 429)
"""A key may be set right meanwhile."""


class Away(OSError):
    """The server cannot be reached, or is in trouble."""


class Refused(Exception):
    """The server said no. `code` is its word, `status` that of HTTP."""

    def __init__(self, host: str, status: int, code: str, message: str) -> None:
        super().__init__(f"{host} answered {status} {code}: {message[:300]}")
        self.status, self.code = status, code


@dataclass(frozen=True, slots=True)
class Server:
    """A tracking server. `keys` is a folder with the files `token`, or `username` and `password`, read anew for each call; else these are given."""

    url: str = field(repr=False)
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    keys: Path | None = None
    insecure: bool = False
    authorities: str = ""

    @classmethod
    def of(cls, url: str, **more: Any) -> Self:
        """Raises UsageError where the URL is none."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError("the URL of MLflow must begin with http:// or https:// and name a host")
        if parts.username:
            more = {"username": unquote(parts.username), "password": unquote(parts.password or ""), **more}
        plain = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="")
        return cls(plain.geturl().rstrip("/"), **more)

    @classmethod
    def find(cls, environ: Mapping[str, str]) -> Self | None:
        """What MLflow's own variables say; None where they name no server (a folder, a database, another product's service)."""
        url = environ.get("MLFLOW_TRACKING_URI", "")
        if urlsplit(url).scheme not in ("http", "https"):
            return None
        username, password, token, authorities = (
            environ.get(f"MLFLOW_TRACKING_{name}", "") for name in ("USERNAME", "PASSWORD", "TOKEN", "SERVER_CERT_PATH")
        )
        given = {"username": username, "password": password, "token": token}
        insecure = environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("true", "1")
        return cls.of(url, **{name: text for name, text in given.items() if text}, insecure=insecure, authorities=authorities)  # fmt: skip

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        return self._json("GET", f"{API}/{path}?{urlencode(query)}")

    def post(self, path: str, body: Mapping[str, Any], method: str = "POST") -> dict[str, Any]:
        return self._json(method, f"{API}/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"})

    def put_file(self, path: str, content: BinaryIO | Iterable[bytes], size: int) -> None:
        """A file among the artifacts that the server itself serves."""
        self._call(
            "PUT", f"{API.rpartition('/')[0]}/{PROXY}/artifacts/{quote(path)}", content, {"Content-Length": str(size)}
        )

    def _json(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        data = self._call(method, path, body, headers or {})
        try:
            found = json.loads(data or b"{}")
        except ValueError:
            raise Away(f"MLflow: {self.host} answered what is no JSON") from None
        return found if isinstance(found, dict) else {}

    def _call(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> bytes:
        parts = urlsplit(self.url)
        connection = self._connection(parts.hostname or "", parts.port)
        try:
            connection.request(method, f"{parts.path}/{path}", body, {**headers, **self._authorization(), "User-Agent": "mlworkflow"})  # fmt: skip
            response = connection.getresponse()
            data = response.read(1 << 24)
        except (OSError, http.client.HTTPException) as error:
            raise Away(f"MLflow: {self.host} does not answer ({type(error).__name__})") from None
        finally:
            connection.close()
        if response.status < 300:
            return data
        if response.status >= 500 or response.status in _AGAIN:
            raise Away(f"MLflow: {self.host} answered {response.status}")
        code, message = _words(data)
        raise Refused(self.host, response.status, code, message)

    def _connection(self, host: str, port: int | None) -> http.client.HTTPConnection:
        if urlsplit(self.url).scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=TIMEOUT)
        context = ssl.create_default_context(cafile=self.authorities or None)
        if self.insecure:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=context)

    def _authorization(self) -> dict[str, str]:
        username, password, token = (self._key(name) for name in ("username", "password", "token"))
        if token:
            return {"Authorization": f"Bearer {token}"}
        basic = base64.b64encode(f"{username}:{password}".encode()).decode()
        return {"Authorization": f"Basic {basic}"} if username else {}

    def _key(self, name: str) -> str:
        if self.keys is None:
            return str(getattr(self, name))
        try:
            return (self.keys / name).read_text().strip()
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise Away(f"MLflow: the key '{name}' cannot be read: {error.strerror}") from None


def _words(data: bytes) -> tuple[str, str]:
    try:
        said = json.loads(data)
        return str(said.get("error_code", "")), str(said.get("message", ""))
    except (ValueError, AttributeError):
        return "", ""
