"""What a function of the user's asks for and gives, read off its text. Pure: the code is parsed, never run.

Only what is certain is said: where a name is bound by anything but a plain `def` (an import, a decorator), nothing is.
"""

from __future__ import annotations

import ast
import functools
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches

LONGEST = 100_000
"""Characters of a source: it is part of the resource, and with a ConfigMap an environment variable."""


class CodeError(Exception):
    """The text has no such function, or none that a step can call; the message says where and what."""


class Unreadable(CodeError):
    """The text is no code of the Python that this runs in."""


@dataclass(frozen=True, slots=True)
class Argument:
    """One that can be given by its name. `annotation` is its text, "" where there is none."""

    name: str
    annotation: str
    is_needed: bool


@dataclass(frozen=True, slots=True)
class Signature:
    """A function's arguments. `takes_any` says that there is a ``**``; `returned` are the keys of the dicts that it returns, None where they cannot be told."""

    arguments: tuple[Argument, ...]
    takes_any: bool
    returned: frozenset[str] | None = None


@functools.lru_cache(maxsize=64)
def signature_of(source: str, function: str) -> Signature | None:
    """The signature of a top-level function, None where only running the code could tell. Raises CodeError."""
    module = _parsed(source)
    plain = [node for node in module.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    found = next((node for node in reversed(plain) if node.name == function), None)
    bound = {name for node in module.body if node not in plain for name in _bound(node)}
    if function in bound or (found is None and "*" in bound):
        return None
    if found is None:
        raise CodeError(_missing(function, [node.name for node in plain]))
    if isinstance(found, ast.AsyncFunctionDef):
        raise CodeError(f"line {found.lineno}: {function}() is async; a step calls a plain function")
    return None if found.decorator_list else _signature(found)


@functools.lru_cache(maxsize=64)
def classes_of(source: str) -> frozenset[str] | None:
    """The names of what may be a class at the top of a text: whatever is no plain function. None where only running the code could tell. Raises CodeError."""
    module = _parsed(source)
    plain = ast.FunctionDef | ast.AsyncFunctionDef
    bound = {name for node in module.body if not isinstance(node, plain) for name in _bound(node)}
    return None if "*" in bound else frozenset(bound)


def check_code(source: str) -> None:
    """Raises CodeError where a text is no code."""
    _parsed(source)


def _parsed(source: str) -> ast.Module:
    try:
        with warnings.catch_warnings(action="ignore"):  # of a backslash, say: its author reads them where it runs
            return ast.parse(source)
    except SyntaxError as error:
        where = f"line {error.lineno}: " if error.lineno else ""
        raise Unreadable(f"{where}{error.msg}") from None
    except (ValueError, RecursionError, MemoryError) as error:  # a NUL; nested deeper than Python goes
        raise Unreadable(f"cannot be read as Python: {str(error) or 'it is nested too deeply'}") from None


def _bound(node: ast.stmt) -> Iterator[str]:
    """The names that a statement may bind in the module, other than by a plain `def`."""
    if isinstance(node, ast.ClassDef):
        yield node.name
        return
    for inner in ast.walk(node):
        match inner:
            case ast.Name(id=name, ctx=ast.Store()):
                yield name
            case ast.alias(name=name, asname=alias):
                yield alias or name.partition(".")[0]
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name


def _missing(function: str, names: list[str]) -> str:
    near = get_close_matches(function, names, n=1)
    hint = f"did you mean {near[0]}?" if near else f"it has: {', '.join(names[:8]) or 'none'}"
    return f"has no function {function}(); {hint}"


def _signature(node: ast.FunctionDef) -> Signature:
    args = node.args
    if args.posonlyargs:
        name = args.posonlyargs[0].arg
        raise CodeError(f"line {node.lineno}: '{name}' stands before a /; a step gives arguments by their names")
    with_default = len(args.args) - len(args.defaults)
    arguments = [
        Argument(arg.arg, _text(arg.annotation), is_needed=index < with_default) for index, arg in enumerate(args.args)
    ]
    arguments += [
        Argument(arg.arg, _text(arg.annotation), is_needed=default is None)
        for arg, default in zip(args.kwonlyargs, args.kw_defaults, strict=True)
    ]
    return Signature(tuple(arguments), args.kwarg is not None, _returned(node))


def _text(annotation: ast.expr | None) -> str:
    match annotation:
        case None:
            return ""
        case ast.Constant(value=str(text)):
            return text.strip()
        case _:
            return ast.unparse(annotation)


def _returned(function: ast.FunctionDef) -> frozenset[str] | None:
    names: set[str] = set()
    for node in _own(function):
        match node:
            case ast.Return(value=ast.Dict(keys=keys)) if all(
                isinstance(key, ast.Constant) and isinstance(key.value, str) for key in keys
            ):
                names |= {str(key.value) for key in keys if isinstance(key, ast.Constant)}
            case ast.Return() | ast.Yield() | ast.YieldFrom():
                return None
    return frozenset(names) or None


def _own(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """The nodes of a function's body, without those of functions and classes in it."""
    pending: list[ast.AST] = list(function.body)
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            pending += ast.iter_child_nodes(node)
