"""The certificate that the gateway shows, read again when its file changes: whoever renews it restarts nothing.

`Certificate.context` is what a server is given once; new connections get the newest certificate, those that are open go on. Files that do not
fit together, because they are being replaced just now or are simply wrong, change nothing, and the log says so.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

from mlworkflow.core.errors import UsageError

CERTIFICATE, KEY, AUTHORITY = "tls.crt", "tls.key", "ca.crt"
"""The files of a Secret of the type `kubernetes.io/tls`, and of those that cert-manager makes."""
LOOK_EVERY = 10.0
_log = logging.getLogger(__name__)


class Certificate:
    """The files `tls.crt` and `tls.key` of a folder. Raises UsageError where there is no usable certificate to begin with."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen = b""
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            self._take(self._read())
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise UsageError(f"{folder} has no certificate to serve with: {_why(error)}") from None

    def refresh(self) -> bool:
        """Whether there was a new certificate, and it is shown from now on."""
        try:
            found = self._read()
            if found == self._seen:
                return False
            self._take(found)
        except (OSError, ValueError) as error:
            _log.warning("gateway certificate=kept error=%s", _why(error))
            return False
        _log.info("gateway certificate=renewed")
        return True

    async def keep_fresh(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Look again and again until cancelled."""
        while True:
            await sleep(LOOK_EVERY)
            self.refresh()

    def _read(self) -> bytes:
        return b"\0".join((self._folder / name).read_bytes() for name in (CERTIFICATE, KEY))

    def _take(self, found: bytes) -> None:
        """A pair that does not fit would leave half of it in a context, so another one tries it first."""
        for context in (ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), self.context):
            context.load_cert_chain(self._folder / CERTIFICATE, self._folder / KEY, password=_no_password)
        self._seen = found


def _no_password() -> str:
    raise ValueError("the key has a password")


def _why(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else "") or str(error)
