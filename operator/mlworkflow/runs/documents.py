"""YAML files as kubectl reads them, with the line of every field.

PyYAML's own rules would read ``1e-3`` as text, ``2024-01-01`` as a date and ``1:30`` as 90, so that the same file meant
something else on a laptop than in a cluster: numbers are read as kubectl does, and dates stay text.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mlworkflow.core import names
from mlworkflow.runs.errors import RunsError, Usage

STDIN = "-"
MOST = 2_000_000
"""Values of a document, its aliases written out."""
_TAG = "tag:yaml.org,2002:"
_INT = re.compile(r"^[-+]?(0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)$")
_FLOAT = re.compile(
    r"^([-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$"
)
_INDEX = re.compile(r"\[([0-9]+)\]\.?")


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """libyaml where it is there: ten times as fast."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag in (f"{_TAG}bool", f"{_TAG}null", f"{_TAG}merge")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_Loader.add_implicit_resolver(f"{_TAG}int", _INT, list("-+0123456789"))
_Loader.add_implicit_resolver(f"{_TAG}float", _FLOAT, list("-+.0123456789"))


class _Dumper(yaml.SafeDumper):
    """Quotes whatever the loader, kubectl or a reader of YAML 1.1 would take for anything but text; no anchors."""

    yaml_implicit_resolvers = {
        first: list(resolvers) for first, resolvers in yaml.SafeDumper.yaml_implicit_resolvers.items()
    }

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _scalar(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = '"' if _BREAKS.search(text) else "|" if "\n" in text else "'" if text in _LETTERS else None
    return dumper.represent_scalar(f"{_TAG}str", text, style=style)


_BREAKS = re.compile("[\r\x85\u2028\u2029\ufeff]")
"""Ends of lines beside the one that everybody knows: escaped, or they would be read as that."""
_LETTERS = ("y", "Y", "n", "N")
"""Text here, true or false to kubectl."""
_Dumper.add_representer(str, _scalar)
_Dumper.add_implicit_resolver(f"{_TAG}int", _INT, list("-+0123456789"))
_Dumper.add_implicit_resolver(f"{_TAG}float", _FLOAT, list("-+.0123456789"))


class BadFile(RunsError):
    """A file that cannot be read as YAML."""


@dataclass(frozen=True, slots=True)
class Document:
    """One document: `resource` has JSON types only; `duplicates` are (line, message) of keys that are there twice."""

    source: str
    resource: dict[str, Any]
    node: yaml.Node
    duplicates: tuple[tuple[int, str], ...]

    @property
    def name(self) -> str:
        metadata = self.resource.get("metadata")
        return str((metadata.get("name") or metadata.get("generateName") or "") if isinstance(metadata, dict) else "")

    @property
    def is_foreign(self) -> bool:
        """Whether it is some other kind of Kubernetes object."""
        resource = self.resource
        return bool(resource.get("kind")) and resource["kind"] != names.KIND and _group(resource) != names.GROUP

    def line(self, path: str) -> int:
        """The line of a field, or of what is there of it."""
        return _line(self.node, path, self.node.start_mark.line) + 1


def read(source: str) -> list[Document]:
    """The documents of a file (``-``: standard input), empty ones left out. Raises BadFile, OSError."""
    try:
        return parsed(sys.stdin.read() if source == STDIN else Path(source).read_text(encoding="utf-8"), source)
    except UnicodeDecodeError as error:
        raise BadFile(f"{source}: not YAML: {error}", "it has to be UTF-8") from None


def parsed(text: str, source: str) -> list[Document]:
    """The documents of a text that is called `source`, empty ones left out. Raises BadFile."""
    try:
        return list(_documents(text, source))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f":{mark.line + 1}" if mark else ""
        raise BadFile(
            f"{source}{where}: not YAML: {error.problem or error.context}",
            "look at the indentation, quotes and brackets there and in the line before",
        ) from None
    except yaml.YAMLError as error:
        raise BadFile(
            f"{source}: not YAML: {' '.join(str(error).split())}", "control characters have to be left out"
        ) from None
    except RecursionError:
        raise BadFile(
            f"{source}: nested too deeply, or an alias within its own anchor", "write it without that anchor"
        ) from None


def written(resource: Mapping[str, Any]) -> str:
    """A resource as YAML in block style: what `parsed` reads, and kubectl, is the same resource."""
    return yaml.dump(dict(resource), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


def workflows(source: str) -> list[Document]:
    """The workflows of a file; other objects are passed over. Raises Usage where there is none."""
    found = [document for document in read(source) if not document.is_foreign]
    if not found:
        raise Usage(f"{source}: there is no {names.KIND} in it", "one to begin with: mlwf init")
    return found


def _documents(text: str, source: str) -> Iterator[Document]:
    loader = _Loader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            if _expanded(node) > MOST:
                raise BadFile(f"{source}: its aliases stand for more than {MOST} values", "write it without anchors")
            duplicates = tuple(_duplicates(node))  # before merging, after which a key may be there twice
            value = _plain(loader.construct_document(node), source, "")
            if value is None:
                continue
            if not isinstance(value, dict):
                raise BadFile(
                    f"{source}:{node.start_mark.line + 1}: a workflow is a map, this is not one",
                    "one to begin with: mlwf init",
                )
            yield Document(source, value, node, duplicates)
    finally:
        loader.dispose()


def _expanded(root: yaml.Node) -> int:
    """How many values a node stands for with its aliases written out, of which a short text can make billions."""
    counts: dict[int, int] = {}

    def count(node: yaml.Node) -> int:
        if id(node) not in counts:
            counts[id(node)] = 1  # within itself: the loader refuses that
            inner = node.value if isinstance(node, yaml.SequenceNode) else []
            if isinstance(node, yaml.MappingNode):
                inner = [each for pair in node.value for each in pair]
            counts[id(node)] = 1 + sum(map(count, inner))
        return counts[id(node)]

    return count(root)


def _plain(value: Any, source: str, path: str) -> Any:
    """As JSON types. Raises BadFile for what JSON cannot say."""
    if isinstance(value, dict):
        return {_key(key): _plain(item, source, f"{path}.{_key(key)}".lstrip(".")) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, source, f"{path}[{index}]") for index, item in enumerate(value)]
    if value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise BadFile(f"{source}: {path}: {value!r} is not a JSON value", "put it in quotes, if a text was meant")


def _key(key: Any) -> str:
    return {True: "true", False: "false"}[key] if isinstance(key, bool) else "null" if key is None else str(key)


def nodes(root: yaml.Node) -> Iterator[yaml.Node]:
    """Every node below and with `root`, each once however many aliases it has."""
    pending, seen = [root], {id(root)}
    while pending:
        node = pending.pop()
        yield node
        children: list[yaml.Node] = []
        if isinstance(node, yaml.SequenceNode):
            children = node.value
        elif isinstance(node, yaml.MappingNode):
            children = [part for pair in node.value for part in pair]
        fresh = [child for child in children if id(child) not in seen]
        seen.update(map(id, fresh))
        pending.extend(fresh)


def _duplicates(root: yaml.Node) -> Iterator[tuple[int, str]]:
    """Keys that are there twice: of such only the last counts."""
    for node in nodes(root):
        first: dict[str, int] = {}
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else []:
            if isinstance(key, yaml.ScalarNode) and key.tag != f"{_TAG}merge":
                if key.value in first:
                    yield key.start_mark.line + 1, f"the key '{key.value}' is in line {first[key.value]} too"
                first.setdefault(key.value, key.start_mark.line + 1)


def _line(node: yaml.Node, path: str, line: int) -> int:
    if isinstance(node, yaml.SequenceNode) and (index := _INDEX.match(path)):
        if int(index[1]) < len(node.value):
            item = node.value[int(index[1])]
            return _line(item, path[index.end() :], item.start_mark.line)
    elif isinstance(node, yaml.MappingNode):
        matching = [
            (key, value)
            for key, value in node.value
            if isinstance(key, yaml.ScalarNode) and re.match(rf"{re.escape(key.value)}(?=\.|\[|$)", path)
        ]
        if matching:  # a key may hold dots: the longest wins; after a merge, the last
            key, value = max(reversed(matching), key=lambda pair: len(pair[0].value))
            return _line(value, path[len(key.value) :].removeprefix("."), key.start_mark.line)
    return line


def _group(resource: dict[str, Any]) -> str:
    return str(resource.get("apiVersion") or "").partition("/")[0]
