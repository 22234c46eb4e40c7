"""Python code that a user ships with a workflow: one module for each text, called by its digest, so that it is the same module wherever it is.

It is kept beside the fitted preprocessor (`code/<module>.py`) and runs where that is loaded: in the steps of a workflow, whose author could run
anything there. Anywhere else it is refused until somebody who has read it allows it.
"""

from __future__ import annotations

import hashlib
import sys
import types
from collections.abc import Mapping
from pathlib import Path

from mlworkflow_steps.errors import StepFailure, first_line

PREFIX = "mlworkflow_code_"
FOLDER = "code"


def import_source(source: str, path: str) -> str:
    """Runs the code as a module that can be imported from now on: its name. `path` is where the spec or the file has it. Raises StepFailure."""
    name = _name_of(source)
    if name in sys.modules:
        return name
    module = types.ModuleType(name)
    sys.modules[name] = module
    try:
        exec(compile(source, f"{name}.py", "exec"), module.__dict__)
    except BaseException as error:
        del sys.modules[name]
        if not isinstance(error, Exception):
            raise
        raise StepFailure(
            "CodeInvalid", f"{path}: the code cannot be run{_line_of(error, name)}: {first_line(error)}"
        ) from error
    return name


def write(sources: Mapping[str, str], folder: Path) -> None:
    """Leaves each module's text as `code/<module>.py`."""
    for name, source in sorted(sources.items()):
        (folder / FOLDER).mkdir(parents=True, exist_ok=True)
        (folder / FOLDER / f"{name}.py").write_text(source, encoding="utf-8", newline="")


def import_written(folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Imports what `write` has left, if anything: module → text. Raises StepFailure: CodeNotAllowed outside of a step, CodeInvalid."""
    files = sorted((folder / FOLDER).glob("*.py"))
    if files and "MLWF_TASK" not in environ and PREFIX not in environ.get("MLWF_ALLOWED_IMPORTS", "").split(","):
        raise StepFailure(
            "CodeNotAllowed",
            f"'{folder.name}' brings Python code of its author ({FOLDER}/{files[0].name}), which loading it runs: read it, and allow it by adding "
            f"{PREFIX} to MLWF_ALLOWED_IMPORTS",
        )
    found: dict[str, str] = {}
    for file in files:
        with file.open(encoding="utf-8", newline="") as stream:
            source = stream.read()
        if _name_of(source) != file.stem:
            raise StepFailure("CodeInvalid", f"'{FOLDER}/{file.name}' is not what its name says: it was changed")
        found[import_source(source, f"{FOLDER}/{file.name}")] = source
    return found


def _name_of(source: str) -> str:
    return f"{PREFIX}{hashlib.sha256(source.encode()).hexdigest()[:16]}"


def _line_of(error: Exception, name: str) -> str:
    if isinstance(error, SyntaxError):
        return f" (line {error.lineno})"
    lines = []
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == f"{name}.py":
            lines.append(trace.tb_lineno)
        trace = trace.tb_next
    return f" (line {lines[-1]})" if lines else ""
