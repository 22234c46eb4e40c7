"""Where data comes from that no step has left: an address, an object of an S3 store, a named dataset, a model by name. The fields, and what they must be. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlsplit

from msgspec import UNSET, Meta, UnsetType

from mlworkflow.core.expressions import OPEN
from mlworkflow.core.names import MAX_NAME, SECRET_NAME, STEP_NAME
from mlworkflow.core.values import Fields

SHA256 = r"^(sha256:)?[0-9a-f]{64}$"
DATASET = rf"{STEP_NAME[:-1]}(@sha256:[0-9a-f]{{64}})?$"
ALIAS = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"
MODEL = rf"{STEP_NAME[:-1]}@({ALIAS[1:-1]}|[1-9][0-9]{{0,8}}|sha256:[0-9a-f]{{64}})$"
OBJECT = r"^[^/]+/.*[^/]$"
_OF_S3 = ("endpoint", "region", "version", "secret")


Text = Annotated[str, Meta(max_length=2048)]


class Import(Fields, frozen=True):
    """Data from elsewhere, fetched once and kept by its content: exactly one of `http` and `s3`."""

    http: Annotated[Text | UnsetType, Meta(description="An `http://` or `https://` address.")] = UNSET
    s3: Annotated[Text | UnsetType, Meta(description="`bucket/key` of an object of an S3 store.")] = UNSET
    sha256: Annotated[
        Text | UnsetType,
        Meta(
            description="What the bytes must have. With it an earlier result is taken, and other bytes fail the step.",
        ),
    ] = UNSET
    endpoint: Annotated[Text | UnsetType, Meta(description="Of `s3`: the URL of the store. Default: that of AWS.")] = (
        UNSET
    )
    region: Annotated[Text | UnsetType, Meta(description="Of `s3`: its region. Default: `us-east-1`.")] = UNSET
    version: Annotated[Text | UnsetType, Meta(description="Of `s3`: a version of the object. Default: the newest.")] = (
        UNSET
    )
    secret: Annotated[
        Text | UnsetType,
        Meta(
            description="Of `s3`: a Secret of the namespace with the keys `accessKey` and `secretKey`. Default: the object is public. "
            "A local run takes `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` of its environment instead.",
        ),
    ] = UNSET


class Origin(Import, frozen=True):
    """Data that no step has left: exactly one of `http`, `s3`, `dataset` and `model`. It is looked up once, at the start of the run."""

    dataset: Annotated[
        Text | UnsetType,
        Meta(
            description="A named dataset (`mlwf dataset add`): `NAME` is its newest version, `NAME@sha256:…` this one.",
        ),
    ] = UNSET
    model: Annotated[
        Text | UnsetType,
        Meta(
            description="A model by name (`mlwf models`): `NAME@champion` is what the alias means, `NAME@3` and `NAME@sha256:…` are one version. "
            "With `optional` it may not exist yet.",
        ),
    ] = UNSET


def problems_of(origin: Import) -> list[tuple[str, str]]:
    """What is wrong with one: (field, message). What an expression stands for is looked at when it is known."""
    fields = ("http", "s3", "dataset", "model") if isinstance(origin, Origin) else ("http", "s3")
    given = [name for name in fields if getattr(origin, name) is not UNSET]
    if len(given) != 1:
        named = f"; this names {' and '.join(given)}" if given else ""
        return [("", f"name exactly one of: {', '.join(fields)}{named}")]
    kind = given[0]
    if kind != "s3" and (other := next((name for name in _OF_S3 if getattr(origin, name) is not UNSET), None)):
        return [(other, f"belongs to `s3`, not to `{kind}`")]
    if kind in ("dataset", "model") and origin.sha256 is not UNSET:
        return [("sha256", f"is part of a {kind}'s name: {kind}: NAME@sha256:…")]
    checks = (
        (kind, _WRONG[kind]),
        ("sha256", lambda text: "" if re.fullmatch(SHA256, text) else "is 64 hexadecimal digits, lower case"),
        ("endpoint", _url),
        ("secret", lambda text: "" if re.fullmatch(SECRET_NAME, text) else "is no name of a Secret"),
    )
    found = [(name, wrong(value)) for name, wrong in checks if _is_literal(value := getattr(origin, name))]
    return [(name, message) for name, message in found if message]


def dataset_parts(text: str) -> tuple[str, str] | None:
    """(name, digest) of ``NAME`` or ``NAME@sha256:…``, the digest empty in the first; None for what is neither."""
    if not re.fullmatch(DATASET, text) or len(text.partition("@")[0]) > MAX_NAME:
        return None
    name, _, digest = text.partition("@")
    return name, digest


def model_parts(text: str) -> tuple[str, str] | None:
    """(name, what comes after the `@`) of ``NAME@champion``, ``NAME@3`` or ``NAME@sha256:…``; None for what is none of them."""
    name, _, version = text.partition("@")
    if not re.fullmatch(MODEL, text) or len(name) > MAX_NAME or (version[:7] != "sha256:" and len(version) > MAX_NAME):
        return None
    return name, version


def uri_of(kind: str, body: Mapping[str, Any]) -> str:
    """Where the data of an `import`, a `dataset` or a `model` step comes from, as one text."""
    if kind in ("dataset", "model"):
        return f"{kind}:{body['name']}"
    return str(body["http"]) if "http" in body else f"s3://{body['s3']}"


def blamed(path: str, message: str) -> str:
    """What went wrong with the reference at `path`, by the name of its field where the message begins with one."""
    field, colon, _ = message.partition(": ")
    return f"{path}.{message}" if colon and field in Origin.__struct_encode_fields__ else f"{path}: {message}"


def _is_literal(value: str | UnsetType) -> bool:
    return isinstance(value, str) and OPEN not in value


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        port_is_sound = parts.port is None or parts.port > 0
    except ValueError:
        return "is no address"
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_sound or re.search(r"\s", text):
        return "is an address that begins with http:// or https://"
    return "holds a user or a password, which everybody could read who sees the workflow" if "@" in parts.netloc else ""


def _object(text: str) -> str:
    return "" if re.fullmatch(OBJECT, text) else "is bucket/key"


def _dataset(text: str) -> str:
    return "" if dataset_parts(text) else "is NAME or NAME@sha256:<64 hexadecimal digits>, the name as that of a step"


def _model(text: str) -> str:
    return (
        ""
        if model_parts(text)
        else "is NAME@ALIAS, NAME@3 or NAME@sha256:<64 hexadecimal digits>, the names as those of steps"
    )


_WRONG = {"http": _url, "s3": _object, "dataset": _dataset, "model": _model}
