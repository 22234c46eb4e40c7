"""The text of a function with all that it needs of its module, so that it runs where there is nothing else of it: imports, constants, functions and classes beside it.

What it needs is told by Python's own symbol tables, and what a name stands for by the module as it is. A value that has no text, such as a table, is named with the way out.
"""

from __future__ import annotations
import __future__

import ast
import builtins
import importlib.metadata
import inspect
import linecache
import symtable
import sys
import sysconfig
import textwrap
import types
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mlworkflow.core.errors import Problem, SpecError

_CONSTANTS = (type(None), bool, int, float, str, bytes, tuple, list, dict, set)
_NOTEBOOK = "__main__"


def source_of(function: Callable[..., Any], path: str) -> str:
    """The text of a module that has the function: the same for the same code. Raises SpecError, with its problem at `path`."""
    text = _Text(path, function.__module__)
    text.add(function.__name__, function, function.__name__)
    return text.whole()


class _Text:
    """What has been found to be needed. `home` is the module whose text is taken; what is of others is imported."""

    def __init__(self, path: str, home: str) -> None:
        self._path, self._home = path, home
        self._known: dict[str, Any] = {}
        self._imports: set[str] = set()
        self._constants: list[str] = []
        self._code: list[str] = []
        self._is_future = False

    def whole(self) -> str:
        future = ["from __future__ import annotations"] if self._is_future else []
        heads = ["\n".join([*future, *sorted(self._imports)]), "\n".join(self._constants)]
        return "\n\n\n".join(part for part in (*heads, *self._code) if part) + "\n"

    def add(self, name: str, value: Any, user: str) -> None:
        """What `user` calls by `name`, after what that needs itself."""
        if name in self._known:
            if self._known[name] is not value:
                raise self._problem(
                    f"'{name}' of {user} is not what an earlier function calls so: give it another name"
                )
            return
        self._known[name] = value
        plain = inspect.unwrap(value) if callable(value) else value
        if isinstance(value, types.ModuleType):
            self._import(value.__name__, _import(value.__name__, name), user)
        elif isinstance(plain, type | types.FunctionType) and self._is_own(value):
            self._include(name, value)
        elif place := _importable(value):
            self._import(
                place[0], f"from {place[0]} import {place[1]}{'' if place[1] == name else f' as {name}'}", user
            )
        elif (text := _constant(value)) is not None:
            self._constants.append(f"{name} = {text}")
        else:
            kind = f"{type(value).__module__}.{type(value).__qualname__}"
            raise self._problem(
                f"{user} uses '{name}', a {kind} of its module; only text travels: take it as an argument"
            )

    def _is_own(self, value: Any) -> bool:
        return value.__module__ in (self._home, _NOTEBOOK) or _importable(value) is None

    def _include(self, name: str, value: Any) -> None:
        """The text of a function or class."""
        plain = inspect.unwrap(value)
        text, scope = self._source(name, plain), _scope(plain)
        if isinstance(plain, types.FunctionType):
            self._is_future |= bool(plain.__code__.co_flags & __future__.annotations.compiler_flag)
        for needed in _free_names(text):
            if needed in scope and needed != name:
                self.add(needed, _function(scope[needed]), name)
            elif needed not in scope and not hasattr(builtins, needed):
                raise self._problem(f"{name} uses '{needed}', which is not defined where it is")
        for module in _submodules(text, scope):
            self._import(module, f"import {module}", name)
        self._code.append(text)

    def _source(self, name: str, value: Any) -> str:
        """Without what makes a step of it."""
        linecache.checkcache()
        try:
            text = textwrap.dedent(inspect.getsource(value))
            node = ast.parse(text).body[0]
        except (OSError, TypeError, SyntaxError):
            raise self._problem(
                f"the text of {name} cannot be found: define it in a file or a notebook's cell"
            ) from None
        if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name != name:
            raise self._problem(f"{name} is no plain function or class of this name: define it with `def {name}(…)`")
        lines = text.splitlines()
        for decorator in reversed([each for each in node.decorator_list if _is_step(each, _scope(value))]):
            del lines[decorator.lineno - 1 : decorator.end_lineno]
        return "\n".join(lines).strip("\n")

    def _import(self, module: str, line: str, user: str) -> None:
        """Raises SpecError for a file of the user's own, which is not there where the step runs."""
        if file := _own_file(module):
            raise self._problem(
                f"{user} uses '{module}', a file of your own ({file}) that is not there where the step runs: "
                "define what it needs beside it, or install it as a package that `requirements` names"
            )
        self._imports.add(line)

    def _problem(self, words: str) -> SpecError:
        return SpecError([Problem(self._path, words)])


def _import(module: str, name: str) -> str:
    package, _, last = module.rpartition(".")
    if module == name:
        return f"import {module}"
    return f"from {package} import {name}" if package and last == name else f"import {module} as {name}"


def _importable(value: Any) -> tuple[str, str] | None:
    """Module and name under which anybody finds a value."""
    module, name = (
        getattr(value, "__module__", None),
        getattr(value, "__qualname__", None) or getattr(value, "_name", None),
    )
    if not isinstance(module, str) or not isinstance(name, str) or not name.isidentifier() or module == _NOTEBOOK:
        return None
    return (module, name) if getattr(sys.modules.get(module), name, None) is value else None


def _own_file(module: str) -> str:
    """The file of a module that is of no library; empty for any other."""
    top = module.partition(".")[0]
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None or top in sys.stdlib_module_names:
        return ""
    libraries = [Path(sysconfig.get_path(key)).resolve() for key in ("purelib", "platlib")]
    is_library = any(Path(file).resolve().is_relative_to(folder) for folder in libraries)
    return "" if is_library or top in importlib.metadata.packages_distributions() else file


def _constant(value: Any) -> str | None:
    """The text of a value that is written as it is, or None."""
    if not isinstance(value, _CONSTANTS):
        return None
    text = f"{{{', '.join(sorted(map(repr, value)))}}}" if isinstance(value, set) and value else repr(value)
    try:
        return text if ast.literal_eval(text) == value else None
    except (ValueError, SyntaxError):
        return None


def _free_names(text: str) -> list[str]:
    """The names that a function or class takes from around it, in the order of the alphabet; of quoted annotations too."""
    table = symtable.symtable(text, "step", "exec")
    names = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_referenced()}
    names |= {name for child in table.get_children() for name in _globals(child)}
    names |= {each.id for part in _quoted(ast.parse(text)) for each in ast.walk(part) if isinstance(each, ast.Name)}
    return sorted(names)


def _globals(table: symtable.SymbolTable) -> Iterator[str]:
    yield from (symbol.get_name() for symbol in table.get_symbols() if symbol.is_global() and symbol.is_referenced())
    for child in table.get_children():
        yield from _globals(child)


def _quoted(tree: ast.AST) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        for annotation in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
                yield ast.parse(annotation.value, mode="eval").body


def _submodules(text: str, scope: Mapping[str, Any]) -> Iterator[str]:
    """``sklearn.linear_model`` in a text that imports it so: the name `sklearn` alone would not bring it."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name | ast.Attribute):
            root, *_ = dotted = ast.unparse(node).split(".")
            module = scope.get(root)
            if isinstance(module, types.ModuleType):
                name = ".".join([module.__name__, *dotted[1:]])
                if isinstance(sys.modules.get(name), types.ModuleType):
                    yield name


def _scope(value: Any) -> Mapping[str, Any]:
    """What the names in a function or class stand for."""
    if not isinstance(value, types.FunctionType):
        return vars(sys.modules[value.__module__])
    return {**value.__globals__, **inspect.getclosurevars(value).nonlocals}


def _function(value: Any) -> Any:
    """Instead of a step its function."""
    return value.__wrapped__ if getattr(type(value), "is_mlworkflow_step", False) else value


def _is_step(decorator: ast.expr, scope: Mapping[str, Any]) -> bool:
    """Whether a decorator is `mlwf.step`, however that is called there."""
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    names = ast.unparse(called).split(".")
    found = scope.get(names[0])
    for name in names[1:]:
        found = getattr(found, name, None)
    return getattr(found, "__module__", "") == "mlworkflow.api.functions"
