"""How a command answers: a table for people, JSON or YAML for programs."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Any


class Format(StrEnum):
    """The values of ``-o``."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


def document(value: Any, form: Format) -> str:
    """A JSON value as JSON or YAML, to print."""
    if form is Format.JSON:
        return json.dumps(value, indent=2, ensure_ascii=False)
    import yaml

    return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100)).rstrip("\n")
