"""Where the operator's own keys for an S3 store come from. Nothing here prints one.

Every provider is asked again for every request, so keys that are replaced are used from then on. `retrieve` raises `StoreUnavailable` without a word of
what was asked or answered, in which there may be a token.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import urllib3
from minio.credentials.credentials import Credentials
from minio.credentials.providers import IamAwsProvider, Provider
from urllib3.exceptions import HTTPError

from mlworkflow.store.errors import StoreUnavailable

ACCESS_KEY_FILE = "access-key"
SECRET_KEY_FILE = "secret-key"
MARGIN = timedelta(minutes=20)
"""So long before their end keys are replaced: a URL ends with the keys that signed it, and is to live for 15 minutes."""
_TRY_AGAIN = timedelta(minutes=1)
_log = logging.getLogger(__name__)


class FileKeys(Provider):
    """Keys in the two files of a mounted Secret, looked after for every request, so a rotation needs no restart."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: tuple[str, Credentials] | None = None

    def retrieve(self) -> Credentials:
        # The kubelet replaces both files at once, by the link `..data`, and removes those before: read by way of what it means now, they belong
        # together, and when they cannot be read they count as missing only if it still means the same. What is in such a folder never changes.
        version = self._version()
        while True:
            if version and self._read and self._read[0] == version:
                return self._read[1]
            folder = self._folder / version
            try:
                found = Credentials(
                    (folder / ACCESS_KEY_FILE).read_text().strip(), (folder / SECRET_KEY_FILE).read_text().strip()
                )
            except (OSError, ValueError) as error:
                before, version = version, self._version()
                if version == before:
                    raise _not_had(error) from None
            else:
                self._read = version, found
                return found

    def _version(self) -> str:
        """The folder that `..data` means, "" where there is no such link: files that nobody replaces together."""
        try:
            return os.readlink(self._folder / "..data")
        except OSError:
            return ""


class FixedKeys(Provider):
    """Keys given once."""

    def __init__(self, access_key: str, secret_key: str, session_token: str | None = None) -> None:
        self._credentials = Credentials(access_key, secret_key, session_token)

    def retrieve(self) -> Credentials:
        return self._credentials


class CloudKeys(Provider):
    """Keys of the Pod's cloud identity, which end by themselves: asked for anew `MARGIN` before (or at half of their time), and from then on every
    minute until there are new ones.
    """

    def __init__(self, make: Callable[[], Provider], clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._make = make
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: Credentials | None = None
        self._renew_at: datetime | None = None

    def retrieve(self) -> Credentials:
        with self._lock:
            now = self._clock()
            if self._kept is None or (self._renew_at is not None and now >= self._renew_at):
                self._renew(now)
            assert self._kept is not None
            return self._kept

    def _renew(self, now: datetime) -> None:
        try:
            found = self._make().retrieve()
        except (OSError, ValueError, KeyError, SyntaxError, HTTPError) as error:
            until = _end(self._kept) if self._kept else None
            if until is None or now >= until:
                raise _not_had(error) from None
            _log.warning("store keys=kept until=%s error=%s", until.isoformat(timespec="seconds"), _what(error))
            self._renew_at = now + _TRY_AGAIN
            return
        self._kept, until = found, _end(found)
        self._renew_at = until - min(MARGIN, (until - now) / 2) if until else None
        _log.info("store keys=renewed until=%s", until.isoformat(timespec="seconds") if until else "-")


def find_keys(environ: Mapping[str, str], folder: Path | None = None, *, cloud: bool = False) -> Provider:
    """The keys in `folder` if one is given, else those in the environment, else the Pod's cloud identity: a web identity (IRSA), EKS Pod Identity,
    ECS, EC2. With `cloud`, that and nothing else.
    """
    access_key, secret_key = environ.get("AWS_ACCESS_KEY_ID"), environ.get("AWS_SECRET_ACCESS_KEY")
    if not cloud and folder is not None:
        return FileKeys(folder)
    if not cloud and access_key and secret_key:
        return FixedKeys(access_key, secret_key, environ.get("AWS_SESSION_TOKEN"))
    sts = environ.get("AWS_ENDPOINT_URL_STS") if environ.get("AWS_WEB_IDENTITY_TOKEN_FILE") else None
    pool = urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=2, read=10), retries=urllib3.Retry(total=2, backoff_factor=0.2, redirect=0)
    )
    return CloudKeys(lambda: IamAwsProvider(custom_endpoint=sts, http_client=pool))


def _end(credentials: Credentials) -> datetime | None:
    return credentials.expiration.replace(tzinfo=UTC) if credentials.expiration else None


def _not_had(error: Exception) -> StoreUnavailable:
    return StoreUnavailable(f"the store's keys cannot be had: {_what(error)}")


def _what(error: Exception) -> str:
    """The kind of an error, and the status that it may end with; not its text, which quotes the URL and so the token in it."""
    status = str(error).rpartition("HTTP status code ")[2]
    return f"{type(error).__name__} {status}" if status.isdigit() and len(status) == 3 else type(error).__name__
