"""Value types that the resource's fields are made of."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from msgspec import Meta, Struct

from mlworkflow.core import duration, expressions

Json: TypeAlias = Any

ExpressionText = Annotated[str, Meta(pattern=expressions.WHOLE)]
Number = float | ExpressionText
Integer = int | ExpressionText
IntegerOrAuto = int | Annotated[str, Meta(pattern=rf"^auto$|{expressions.WHOLE}")]
Boolean = bool | ExpressionText
Duration = Annotated[str, Meta(pattern=duration.PATTERN, max_length=32)]


class Fields(Struct, frozen=True, forbid_unknown_fields=True, rename="camel", omit_defaults=True):
    """Base of every object in a resource: immutable, camelCase outside, unknown fields refused."""


class ArtifactRef(Struct, frozen=True):
    """An artifact by its content: `digest` of `size` bytes as stored; `type` is ``file``, ``directory`` or ``collection``."""

    digest: Annotated[str, Meta(description="`sha256:` and 64 hex digits, of the bytes as stored.")]
    size: Annotated[int, Meta(description="Bytes as stored.")]
    type: Annotated[
        str,
        Meta(description="`file`; `directory`: stored as one tar; `collection`: stored as a manifest of its members."),
    ] = "file"
