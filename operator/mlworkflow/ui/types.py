"""The front end's types, generated from `answers`: `python -m mlworkflow.ui.types` writes ``web/src/api/types.ts``; a test compares."""

from __future__ import annotations

import sys
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union

import msgspec

from mlworkflow.ui import answers

PATH = Path(__file__).parents[3] / "web" / "src" / "api" / "types.ts"
_HEAD = "// Generated from operator/mlworkflow/ui/answers/ by `python -m mlworkflow.ui.types`. Do not edit.\n"
_PLAIN = {str: "string", int: "number", float: "number", bool: "boolean", type(None): "null", Any: "unknown"}
_UNIONS = ("RunPhase", "TaskPhase", "Verb", "PreviewBody", "Point")
"""Aliases of `answers` that the front end has by the same name."""


def text() -> str:
    """The whole file."""
    parts = [_HEAD, _comment(answers.__doc__ or "", "")]
    parts += [f"export type {name} = {_type(getattr(answers, name), expand=True)};\n" for name in _UNIONS]
    parts += ["\n".join(_interface(struct)) for struct in _structs()]
    return "\n".join(parts)


def _structs() -> Iterator[type[msgspec.Struct]]:
    for value in vars(answers).values():
        if isinstance(value, type) and issubclass(value, answers.Answer) and value is not answers.Answer:
            yield value


def _interface(struct: type[msgspec.Struct]) -> Iterator[str]:
    yield _comment(struct.__doc__ or "", "").rstrip("\n")
    yield f"export interface {struct.__name__} {{"
    if (tag := struct.__struct_config__.tag) is not None:
        yield f'  {struct.__struct_config__.tag_field}: "{tag}";'
    hints = typing.get_type_hints(struct, include_extras=True)
    for field in msgspec.structs.fields(struct):
        hint = hints[field.name]
        if typing.get_origin(hint) is Annotated:
            hint, words = typing.get_args(hint)
            yield _comment(words, "  ").rstrip("\n")
        optional = "?" if struct in _ASKED and not field.required else ""
        yield f"  {field.encode_name}{optional}: {_type(hint)};"
    yield "}\n"


_ASKED = (answers.Submit, answers.Which, answers.Retry, answers.Decision, answers.Promotion, answers.Rollback)
"""What the front end sends: there it may leave out what has a default."""


def _type(hint: Any, *, expand: bool = False) -> str:
    if not expand:
        for name in _UNIONS:
            if hint == getattr(answers, name):
                return name
    if hint in _PLAIN:
        return _PLAIN[hint]
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return " | ".join(f'"{value}"' for value in args)
    if origin in (Union, types.UnionType):
        return " | ".join(_type(arg) for arg in args)
    if origin is list:
        inner = _type(args[0])
        return f"({inner})[]" if " " in inner else f"{inner}[]"
    if origin is tuple:
        return f"[{', '.join(_type(arg) for arg in args)}]"
    if origin is dict:
        return f"Record<{_type(args[0])}, {_type(args[1])}>"
    return str(hint.__name__)


def _comment(words: str, indent: str) -> str:
    lines = words.strip().splitlines()
    if len(lines) == 1:
        return f"{indent}/** {lines[0]} */\n"
    return "\n".join([f"{indent}/**", *(f"{indent} * {line}".rstrip() for line in lines), f"{indent} */\n"])


if __name__ == "__main__":
    PATH.parent.mkdir(parents=True, exist_ok=True)
    PATH.write_text(text(), encoding="utf-8")
    print(PATH, file=sys.stderr)
