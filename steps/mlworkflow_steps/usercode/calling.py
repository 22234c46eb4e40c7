"""The user's code as a module: written down under its own name, imported, and its errors told as its author would read them."""

from __future__ import annotations

import importlib.util
import runpy
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from mlworkflow_steps.errors import StepFailure

_LONGEST = 1000


def load_function(file: Path, name: str) -> Callable[..., Any]:
    """The function `name` of the module in `file`; what stands beside the file can be imported. Raises StepFailure, and what the module raises."""
    sys.path.insert(0, str(file.parent))
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module  # for what looks a module up by its name: dataclasses, pickle, annotations
    spec.loader.exec_module(module)
    function: Callable[..., Any] | None = getattr(module, name, None)
    if function is None or not callable(function):
        own = [
            key
            for key, value in vars(module).items()
            if callable(value) and getattr(value, "__module__", "") == file.stem
        ]
        raise StepFailure("CodeInvalid", f"{file.name} has no function {name}(); it has: {', '.join(own) or 'none'}")
    return function


def run_script(file: Path) -> None:
    """The file as ``python FILE`` runs it."""
    sys.path.insert(0, str(file.parent))
    sys.argv = [str(file)]
    runpy.run_path(str(file), run_name="__main__")


@contextmanager
def told_by(folder: Path) -> Iterator[None]:
    """What is raised in the code below `folder` is told on stderr from there on, and as StepFailure (Error): its last line, and where it was."""
    try:
        yield
    except StepFailure:
        raise
    except Exception as error:
        error.__traceback__ = _from(error.__traceback__, folder)
        traceback.print_exception(error)
        raise StepFailure("Error", f"{_words(error)}{_place(error, folder)}") from None


def _from(trace: TracebackType | None, folder: Path) -> TracebackType | None:
    """The part of a traceback that begins in the user's code; none, of an error before any of it ran."""
    while trace is not None and not _is_below(trace.tb_frame.f_code.co_filename, folder):
        trace = trace.tb_next
    return trace


def _words(error: Exception) -> str:
    return "".join(traceback.format_exception_only(error)).strip().splitlines()[-1][:_LONGEST]


def _place(error: Exception, folder: Path) -> str:
    if isinstance(error, SyntaxError) and error.filename and _is_below(error.filename, folder):
        return f" ({Path(error.filename).relative_to(folder)}:{error.lineno})"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_below(frame.filename, folder)]
    return (
        f" ({Path(frames[-1].filename).relative_to(folder)}:{frames[-1].lineno}, in {frames[-1].name})"
        if frames
        else ""
    )


def _is_below(file: str, folder: Path) -> bool:
    return Path(file).is_relative_to(folder)
