"""Types and defaults in words, for people who read `kubectl explain` or the reference page."""

from __future__ import annotations

import json

from mlworkflow.core import duration, expressions
from mlworkflow.schema.resource import Schema

_NOUNS = {
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "string": "text",
    "array": "list",
    "object": "object",
}


def type_words(schema: Schema) -> list[str]:
    """What a value may be, most specific first; a list because it may be one of several. Empty for any JSON value."""
    if "anyOf" in schema:
        options = [option for option in schema["anyOf"] if option.get("type") != "null"]
        words = [word for option in options for word in type_words(option)]
        return sorted(words, key=lambda word: word == "expression")
    if "enum" in schema:
        return ["text"]
    if "$ref" in schema:
        return ["object"]
    if schema.get("pattern") == expressions.WHOLE:
        return ["expression"]
    if schema.get("pattern") == duration.PATTERN:
        return ["duration"]
    return [_NOUNS[schema["type"]]] if "type" in schema else []


def one_of(words: list[str]) -> str:
    """``whole number, object or expression``."""
    return " or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def default_words(schema: Schema) -> str:
    """The default as one writes it; empty where there is none, or where it means the same as leaving the field out."""
    default = schema.get("default")
    return "" if default in (None, "", [], {}) else json.dumps(default, ensure_ascii=False)
