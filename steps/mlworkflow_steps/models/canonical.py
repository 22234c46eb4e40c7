"""A skops file with the same bytes for the same model.

skops names objects and arrays by `id()`, which differs from process to process, and its zip has the time of day in it. Here
every array is named by its place in the document, an object's id is kept only where the object is there more than once (which
is all that loading needs), sets are sorted, and the zip is stored, not compressed, with a fixed date. What is left depends on
the model and on the versions of the libraries alone.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

SCHEMA = "schema.json"
_FIXED_DATE = (1980, 1, 1, 0, 0, 0)
_UNORDERED = "SetNode"
_PRIMITIVE = "JsonNode"
_ADDRESSES = ("_stop_words_id",)
"""Attributes that hold an `id()` themselves, and that scikit-learn does without where they are not there."""


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every object of the document that skops makes a node of, outermost first, in the document's order."""
    if isinstance(value, dict):
        if "__loader__" in value and "__class__" in value:
            yield value
        for child in value.values():
            yield from nodes(child)
    elif isinstance(value, list):
        for child in value:
            yield from nodes(child)


def canonical(skops_file: bytes) -> bytes:
    """The same model in canonical form."""
    with zipfile.ZipFile(io.BytesIO(skops_file)) as source:
        schema = json.loads(source.read(SCHEMA))
        contents = {name: source.read(name) for name in source.namelist() if name != SCHEMA}
    for node in list(nodes(schema)):
        _forget_addresses(node)
        if node["__loader__"] == _UNORDERED:
            node["content"].sort(key=lambda item: _sort_key(item, contents))
    uses = Counter(node["__id__"] for node in nodes(schema) if "__id__" in node)
    ids: dict[int, int] = {}
    files: dict[str, str] = {}
    for node in nodes(schema):
        _rename_id(node, uses, ids)
        if "file" in node:
            name = node["file"]
            node["file"] = files.setdefault(name, f"{len(files) + 1}.{name.rpartition('.')[2]}")
    members = {SCHEMA: json.dumps(schema, separators=(",", ":")).encode()}
    members |= {new: _without_padding(contents[old], new) for old, new in files.items()}
    return _zip(members)


def _forget_addresses(node: dict[str, Any]) -> None:
    """Of an object's attributes. The types of their names are listed beside them: a text each."""
    attributes = node.get("content") if node["__loader__"] == "ObjectNode" else None
    if isinstance(attributes, dict) and attributes.get("__loader__") == "DictNode":
        for name in _ADDRESSES:
            if attributes["content"].pop(name, None) is not None:
                attributes["key_types"]["content"].pop()


def _rename_id(node: dict[str, Any], uses: Counter[int], ids: dict[int, int]) -> None:
    """Equal texts and numbers may or may not be one object, by chance of the interpreter, so they keep no id at all."""
    old = node.pop("__id__", None)
    if old is not None and uses[old] > 1 and node["__loader__"] != _PRIMITIVE:
        node["__id__"] = ids.setdefault(old, len(ids) + 1)


def _sort_key(item: dict[str, Any], contents: dict[str, bytes]) -> str:
    """A text that says what the item is and nothing about where it was in memory."""
    bare = json.loads(json.dumps(item))
    for node in nodes(bare):
        node.pop("__id__", None)
        if "file" in node:
            node["file"] = contents[node["file"]].hex()
    return json.dumps(bare)


def _without_padding(data: bytes, name: str) -> bytes:
    """The gaps between the fields of a structured array hold whatever was in memory: they become zero."""
    if not name.endswith(".npy"):
        return data
    array = np.load(io.BytesIO(data), allow_pickle=False)
    if not array.dtype.names:
        return data
    clean = np.zeros(array.shape, array.dtype)
    for field in array.dtype.names:
        clean[field] = array[field]
    buffer = io.BytesIO()
    np.save(buffer, clean, allow_pickle=False)
    return buffer.getvalue()


def _zip(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            entry = zipfile.ZipInfo(name, _FIXED_DATE)
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, members[name])
    return buffer.getvalue()
