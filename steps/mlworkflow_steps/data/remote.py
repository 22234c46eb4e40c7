"""A file from another server: streamed to disk, digested on the way, complete or an error. The standard library alone.

A redirect is followed to `http` and `https` only, and never with a signature. Messages name no query, no user and no password.
"""

from __future__ import annotations

import hashlib
import http.client
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import IO

from mlworkflow_steps.errors import StepFailure, first_line

TIMEOUT = 60.0
WAITS = (1.0, 4.0, 15.0)
CHUNK = 1 << 20
AGAIN = frozenset({408, 425, 429})
"""Client errors that may pass."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came: `sha256` in hexadecimal digits, and what the server says of it (lower-case names)."""

    sha256: str
    size: int
    headers: Mapping[str, str]


class _Redirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        if req.has_header("Authorization") or urllib.parse.urlsplit(newurl).scheme not in ("http", "https"):
            return None  # the redirect itself is the answer
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


_OPENER = urllib.request.build_opener(_Redirects)


def fetch(
    address: str,
    file: Path,
    field: str,
    sign: Callable[[], Mapping[str, str]] = dict,
    sleep: Callable[[float], None] = time.sleep,
) -> Fetched:
    """Reads `address` into `file`, again after trouble that may pass; `sign` gives the headers of each request. `field` is who asked.

    Raises StepFailure: InputInvalid (there is nothing, or it is forbidden), SourceUnavailable.
    """
    for wait in (*WAITS, None):
        try:
            return _attempt(urllib.request.Request(address, headers=dict(sign())), file)
        except urllib.error.HTTPError as error:
            with error:
                if error.code < 500 and error.code not in AGAIN:
                    words = f"{field}: {shown(address)} answered {error.code} {error.reason}{_said(error)}"
                    raise StepFailure("InputInvalid", words) from None
                trouble = f"answered {error.code} {error.reason}"
        except (OSError, http.client.HTTPException) as error:
            trouble = f"cannot be read: {first_line(error)}"
        except ValueError as error:
            raise StepFailure("InputInvalid", f"{field}: {first_line(error)}") from None
        if wait is None:
            raise StepFailure("SourceUnavailable", f"{field}: {shown(address)} {trouble}")
        print(f"{shown(address)} {trouble}; again in {wait:.0f} s", flush=True)
        sleep(wait)
    raise AssertionError("unreachable")


def _attempt(request: urllib.request.Request, file: Path) -> Fetched:
    digest, size = hashlib.sha256(), 0
    with _OPENER.open(request, timeout=TIMEOUT) as response, file.open("wb") as stream:
        while piece := response.read(CHUNK):
            digest.update(piece)
            size += len(piece)
            stream.write(piece)
        headers = {name.lower(): value for name, value in response.headers.items()}
    told = headers.get("content-length", "")
    if told.isdecimal() and int(told) != size:
        raise http.client.IncompleteRead(b"", int(told) - size)
    return Fetched(digest.hexdigest(), size, headers)


def _said(error: urllib.error.HTTPError) -> str:
    """The code in an answer of an S3 store: it says more than the status."""
    body = error.read(4096).decode(errors="replace")
    _, mark, rest = body.partition("<Code>")
    code = rest.partition("</Code>")[0]
    return f" ({code})" if mark and code.isalnum() and len(code) < 64 else ""


def shown(address: str) -> str:
    """The address without its user, password and query: it goes into logs and the status."""
    parts = urllib.parse.urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
