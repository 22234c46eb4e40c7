"""Where a table comes from: a set that scikit-learn ships, a file, an address, a public object, or an input of the step.

Each source ends in a local file that `read_table` reads, but for scikit-learn's sets, which are frames already.
"""

from __future__ import annotations

import importlib
import shutil
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mlworkflow_steps.context import Context
from mlworkflow_steps.data.table import file_digest, only_file, read_table
from mlworkflow_steps.errors import SpecInvalid, StepFailure, first_line
from mlworkflow_steps.spec import Fields

BUNDLED = ("digits", "iris", "wine", "breast_cancer", "diabetes", "linnerud")

_KINDS = ("sklearn", "path", "url", "s3", "input")
_FORMATS = ("csv", "parquet")
_TIMEOUT = 60.0
_WAITS = (1.0, 4.0)


@dataclass(frozen=True, slots=True)
class Source:
    """One source: `kind` is one of the field names above, `value` what the field says, `path` the field's path in the spec."""

    kind: str
    value: str
    format: str | None
    path: str

    @classmethod
    def parse(cls, fields: Fields) -> Source:
        kind = fields.exactly_one(_KINDS)
        values = {name: fields.text(name) for name in _KINDS}
        format_ = fields.text("format")
        if format_ not in (None, *_FORMATS):
            raise SpecInvalid(fields.where("format"), f"must be one of {', '.join(_FORMATS)}, not {format_!r}")
        fields.done()
        return cls(kind, values[kind] or "", format_, fields.where(kind))


@dataclass(frozen=True, slots=True)
class Loaded:
    """A frame and what it was made of: {"sklearn": name}, or the digest and size of the file's bytes. `target` is "" where the table names none."""

    frame: pd.DataFrame
    origin: dict[str, Any]
    target: str = ""


def load(source: Source, context: Context) -> Loaded:
    """Reads the source. Raises StepFailure: SourceUnavailable (not there), SourceInvalid (no table), InputMissing."""
    if source.kind == "sklearn":
        return Loaded(_bundled(source), {"sklearn": source.value})
    if source.kind == "input":
        return _read(context.input(source.value), source)
    if source.kind == "path":
        return _read(Path(source.value), source)
    address = _public_address(source, context.s3_endpoint) if source.kind == "s3" else source.value
    scheme = urllib.parse.urlsplit(address).scheme
    if scheme not in ("http", "https"):
        return _read(_local_path(address, scheme, source), source)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / (Path(urllib.parse.urlsplit(address).path).name or "table")
        _download(address, file, source)
        return _read(file, source)


def _bundled(source: Source) -> pd.DataFrame:
    if source.value not in BUNDLED:
        raise SpecInvalid(
            source.path, f"'{source.value}' does not come with scikit-learn; these do: {', '.join(BUNDLED)}"
        )
    datasets = importlib.import_module("sklearn.datasets")
    frame: pd.DataFrame = getattr(datasets, f"load_{source.value}")(as_frame=True).frame
    return frame


def _read(file: Path, source: Source) -> Loaded:
    if not file.exists():
        raise StepFailure("SourceUnavailable", f"{source.path}: there is no file '{source.value}' where this step runs")
    table = read_table(file, source.format)
    return Loaded(table.frame, {"digest": file_digest(file), "size": only_file(file).stat().st_size}, table.target)


def _local_path(address: str, scheme: str, source: Source) -> Path:
    if scheme == "file":
        return Path(urllib.request.url2pathname(urllib.parse.urlsplit(address).path))
    if scheme and "://" in address:
        raise SpecInvalid(source.path, f"cannot read '{scheme}://'; it can be http, https, file or a plain path")
    return Path(address)


def _public_address(source: Source, endpoint: str) -> str:
    """The address of an object that anyone may read: a step holds no key of the object store."""
    parts = urllib.parse.urlsplit(source.value)
    key = parts.path.lstrip("/")
    if parts.scheme != "s3" or not parts.netloc or not key:
        raise SpecInvalid(source.path, f"must look like s3://bucket/key, not '{source.value}'")
    base = f"{endpoint.rstrip('/')}/{parts.netloc}" if endpoint else f"https://{parts.netloc}.s3.amazonaws.com"
    return f"{base}/{urllib.parse.quote(key)}"


def _download(address: str, file: Path, source: Source) -> None:
    for wait in (*_WAITS, None):
        try:
            with urllib.request.urlopen(address, timeout=_TIMEOUT) as response, file.open("wb") as stream:
                shutil.copyfileobj(response, stream, 1 << 20)
            return
        except urllib.error.HTTPError as error:
            if error.code in (401, 403) and source.kind == "s3":
                problem = (
                    "is not public, and a step holds no key of the object store; make the table an input of the step"
                )
                raise StepFailure("SourceUnavailable", f"{source.path}: '{source.value}' {problem}") from error
            if error.code < 500 or wait is None:
                raise StepFailure(
                    "SourceUnavailable", f"{source.path}: {_host(address)} answered {error.code} {error.reason}"
                ) from error
        except (OSError, ValueError) as error:
            if wait is None or isinstance(error, ValueError):
                raise StepFailure(
                    "SourceUnavailable", f"{source.path}: {_host(address)} cannot be read: {first_line(error)}"
                ) from error
        time.sleep(wait)


def _host(address: str) -> str:
    """The address without its user, password and query: it goes into logs and the status."""
    parts = urllib.parse.urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
