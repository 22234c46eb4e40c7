"""The parameters of a request, checked: a mistake names the parameter."""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec
from starlette.requests import Request

from mlworkflow.runs.errors import Usage

_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,251}[A-Za-z0-9])?")
T = TypeVar("T", bound=msgspec.Struct)


class Query:
    """Of one request. Every method raises Usage."""

    def __init__(self, request: Request) -> None:
        self._given = request.query_params

    def text(self, name: str, default: str = "") -> str:
        return self._given.get(name, default)

    def all(self, name: str) -> list[str]:
        return self._given.getlist(name)

    def needed(self, name: str) -> str:
        if not (value := self._given.get(name, "")):
            raise Usage(f"{name} is missing")
        return value

    def number(self, name: str, default: int, *, most: int = 1 << 40) -> int:
        value = self._given.get(name, "")
        if not value:
            return default
        if not value.isdecimal() or int(value) > most:
            raise Usage(f"{name}={value[:40]}: a whole number from 0 to {most} is wanted")
        return int(value)

    def flag(self, name: str) -> bool:
        return self._given.get(name, "") not in ("", "0", "false")

    def namespace(self, name: str = "namespace") -> str:
        """A namespace, or nothing."""
        return checked_namespace(self._given.get(name, ""))

    def name(self, name: str) -> str:
        """What something is called: no path can be made of it."""
        return checked_name(self.needed(name), name)


def checked_namespace(value: str) -> str:
    if value and not _NAMESPACE.fullmatch(value):
        raise Usage(f"namespace={value[:80]}: this is no namespace")
    return value


def checked_name(value: str, field: str) -> str:
    if not _NAME.fullmatch(value):
        raise Usage(f"{field}={value[:80]}: this is no name")
    return value


async def body(request: Request, type_: type[T]) -> T:
    """What was sent. Raises Usage."""
    try:
        return msgspec.json.decode(await request.body(), type=type_)
    except msgspec.DecodeError as error:
        raise Usage(f"the request: {error}") from None
