"""`import`: the bytes behind an address or of an object of an S3 store, as the artifact `data`, and what the server says of their version."""

from __future__ import annotations

import os
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from mlworkflow_steps.context import Context
from mlworkflow_steps.data.remote import Fetched, fetch, shown
from mlworkflow_steps.data.sigv4 import Keys, signed
from mlworkflow_steps.errors import SpecInvalid, StepFailure
from mlworkflow_steps.spec import Fields

REGION = "us-east-1"
_SAID = {"etag": "etag", "last-modified": "last_modified", "x-amz-version-id": "version"}


@dataclass(frozen=True, slots=True)
class Import:
    """The spec of the kind, parsed: `field` is what names the source, `keys` are there where it names a secret."""

    field: str
    address: str
    sha256: str
    region: str
    keys: Keys | None

    @classmethod
    def parse(cls, spec: Mapping[str, object], endpoint: str, environ: Mapping[str, str]) -> Import:
        """Raises StepFailure."""
        fields = Fields(spec, "import")
        field = fields.exactly_one(("http", "s3"))
        source, version = fields.required_text(field), fields.text("version")
        endpoint, region = fields.text("endpoint") or endpoint, fields.text("region") or REGION
        sha256 = (fields.text("sha256") or "").removeprefix("sha256:")
        has_secret = fields.text("secret") is not None
        fields.done()
        address = source if field == "http" else _of_object(source, endpoint, region, version)
        where = fields.where(field)
        parts = urllib.parse.urlsplit(address)
        if parts.scheme not in ("http", "https"):
            raise SpecInvalid(where, f"must begin with http:// or https://, not '{shown(address)}'")
        if "@" in parts.netloc:
            raise SpecInvalid(where, "holds a user or a password, which everybody could read who sees the workflow")
        return cls(field, address, sha256, region, _keys(environ) if has_secret else None)


def run(context: Context) -> None:
    """Leaves `data`. Raises StepFailure: InputInvalid (not there, not allowed, other bytes than declared), SourceUnavailable."""
    spec = Import.parse(context.spec, context.s3_endpoint, os.environ)
    keys = spec.keys

    def sign() -> dict[str, str]:
        return signed(spec.address, keys, spec.region, datetime.now(UTC)) if keys else {}

    target = context.output("data")
    fetched = fetch(spec.address, target, spec.field, sign)
    if spec.sha256 and fetched.sha256 != spec.sha256:
        target.unlink()
        words = f"sha256: {shown(spec.address)} has {fetched.size} bytes with sha256:{fetched.sha256}, not sha256:{spec.sha256}"
        raise StepFailure("InputInvalid", words)
    _tell(context, fetched)
    print(f"{shown(spec.address)}: {fetched.size} bytes, sha256:{fetched.sha256}")


def _tell(context: Context, fetched: Fetched) -> None:
    context.set_text("sha256", fetched.sha256)
    for header, name in _SAID.items():
        if header in fetched.headers:
            context.set_text(name, fetched.headers[header])


def _of_object(source: str, endpoint: str, region: str, version: str | None) -> str:
    """The address of an object, the bucket in the path: every store understands that."""
    bucket, _, key = source.partition("/")
    if not bucket or not key:
        raise SpecInvalid("import.s3", f"is bucket/key, not '{source}'")
    base = endpoint.rstrip("/") or f"https://s3.{region}.amazonaws.com"
    query = f"?versionId={urllib.parse.quote(version, safe='')}" if version else ""
    return f"{base}/{urllib.parse.quote(f'{bucket}/{key}')}{query}"


def _keys(environ: Mapping[str, str]) -> Keys:
    access, secret = environ.get("AWS_ACCESS_KEY_ID", ""), environ.get("AWS_SECRET_ACCESS_KEY", "")
    if not access or not secret:
        words = "secret: a local run takes AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of its environment, and they are not set"
        raise StepFailure("InputInvalid", words)
    return Keys(access, secret, environ.get("AWS_SESSION_TOKEN", ""))
