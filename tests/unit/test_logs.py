"""Lines of the log as JSON: what is known of them is in fields."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

from mlworkflow.core.subject import Subject
from mlworkflow.logs import TEXT, Json


def record(message: str, *args: object, error: bool = False) -> logging.LogRecord:
    return logging.LogRecord("mlworkflow.x", logging.INFO, "x.py", 1, message, args, sys.exc_info() if error else None)


def line(message: str, *args: object, error: bool = False) -> dict[str, Any]:
    text = Json().format(record(message, *args, error=error))
    assert "\n" not in text
    made: dict[str, Any] = json.loads(text)
    return made


STEP = Subject("ml", "digits", "uid-1", "train")


def test_a_decision_has_all_that_it_is_about_in_fields() -> None:
    made = line("%s: %s -> phase=%s attempt=%d reason=%s", STEP, "Running", "Failed", 1, "OOMKilled")
    assert made.pop("time").endswith("+00:00")
    assert made == {
        "level": "info",
        "logger": "mlworkflow.x",
        "message": "ml/digits train: Running -> phase=Failed attempt=1 reason=OOMKilled",
        "namespace": "ml",
        "workflow": "digits",
        "uid": "uid-1",
        "step": "train",
        "phase": "Failed",
        "attempt": 1,
        "reason": "OOMKilled",
    }


def test_facts_have_one_name_everywhere_and_are_left_out_where_there_is_none() -> None:
    made = line("committed namespace=%s uid=%s task=%s attempt=%d exit=%d reason=%s", "ml", "u", "train", 0, 0, "-")
    assert (made["step"], made["exit"], made["attempt"]) == ("train", 0, 0)
    assert "reason" not in made
    assert "task" not in made


def test_percents_and_widths_do_not_shift_what_follows() -> None:
    made = line("100%% of %r wait=%.1f s for host=%s", "a", 2.5, "h")
    assert (made["message"], made["wait"], made["host"]) == ("100% of 'a' wait=2.5 s for host=h", 2.5, "h")


def test_lines_of_libraries_that_give_a_mapping_or_nothing_are_lines_too() -> None:
    assert line("100% done")["message"] == "100% done"
    mapped = logging.LogRecord("kopf", logging.INFO, "x.py", 1, "%(a)s", ({"a": "b"},), None)
    assert json.loads(Json().format(mapped))["message"] == "b"


def test_a_traceback_is_part_of_its_line() -> None:
    try:
        raise ValueError("broken")
    except ValueError:
        made = line("%s: a bug", STEP, error=True)
    assert made["error"].endswith("ValueError: broken")
    assert made["workflow"] == "digits"


def test_in_text_a_line_begins_with_what_it_is_about() -> None:
    text = logging.Formatter(TEXT).format(record("%s: not cached: %s", Subject("ml", "", "uid-1"), "why"))
    assert text.endswith("INFO mlworkflow.x ml/uid-1: not cached: why")
