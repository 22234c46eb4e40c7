"""What the server says and what the front end reads is one contract."""

from __future__ import annotations

import re
from typing import Any

from mlworkflow.ui import answers, types


def test_the_front_ends_types_are_those_of_the_answers() -> None:
    assert types.PATH.read_text(encoding="utf-8") == types.text(), "run: python -m mlworkflow.ui.types"


def test_every_answer_that_the_list_of_endpoints_names_is_there() -> None:
    named = re.findall(r"→ ([A-Z]\w+)|^POST \S+ ([A-Z]\w+)|`\w+` ([A-Z]\w+)", answers.__doc__ or "", re.MULTILINE)
    known: dict[str, Any] = vars(answers)
    missing = {name for group in named for name in group if name and name not in ("JSON",)} - set(known)
    assert not missing
