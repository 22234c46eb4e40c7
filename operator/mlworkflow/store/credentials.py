"""Where the operator's own keys for an S3 store come from. Nothing here prints one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from minio.credentials.credentials import Credentials
from minio.credentials.providers import IamAwsProvider, Provider

ACCESS_KEY_FILE = "access-key"
SECRET_KEY_FILE = "secret-key"


class FileKeys(Provider):
    """Keys in the two files of a mounted Secret, read anew for every request, so a rotation needs no restart."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def retrieve(self) -> Credentials:
        return Credentials(
            (self._folder / ACCESS_KEY_FILE).read_text().strip(),
            (self._folder / SECRET_KEY_FILE).read_text().strip(),
        )


class FixedKeys(Provider):
    """Keys given once."""

    def __init__(self, access_key: str, secret_key: str, session_token: str | None = None) -> None:
        self._credentials = Credentials(access_key, secret_key, session_token)

    def retrieve(self) -> Credentials:
        return self._credentials


def find_keys(environ: Mapping[str, str], folder: Path | None = None) -> Provider:
    """The keys in `folder` if one is given, else those in the environment, else the Pod's cloud identity (IRSA, ECS,
    EC2).
    """
    if folder is not None:
        return FileKeys(folder)
    access_key, secret_key = environ.get("AWS_ACCESS_KEY_ID"), environ.get("AWS_SECRET_ACCESS_KEY")
    if access_key and secret_key:
        return FixedKeys(access_key, secret_key, environ.get("AWS_SESSION_TOKEN"))
    return IamAwsProvider()
