"""`python: {file: clean.py}`, and `code` of a `prep` step, in a workflow file: the text of the file beside it, put into `source`, so that what is run or submitted says all of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlworkflow.core.signature import LONGEST
from mlworkflow.runs.documents import STDIN, BadFile, Document

_ELSEWHERE = ("source", "configMap", "git")
Read = Callable[[str, str], str]


def with_code(document: Document) -> Document:
    """A document with the code of its files in it. Raises BadFile for one that cannot be read."""
    folder = Path() if document.source == STDIN else Path(document.source).parent

    def read(name: str, path: str) -> str:
        try:
            return _text(folder, name)
        except (OSError, ValueError) as error:
            words = getattr(error, "strerror", None) or error
            raise BadFile(
                f"{document.source}:{document.line(path)}: {path}: '{name}': {words}",
                "name a file beside the workflow's own, or below it",
            ) from None

    spec = document.resource.get("spec")
    if not isinstance(spec, dict):
        return document
    return replace(document, resource={**document.resource, "spec": _spec(spec, read)})


def _text(folder: Path, name: str) -> str:
    """Raises OSError, ValueError."""
    file = folder / name
    if not file.resolve().is_relative_to(
        folder.resolve()
    ):  # a file from somebody else must not carry off what is not theirs
        raise ValueError("is not in the folder of the workflow's file, nor below it")
    with file.open(encoding="utf-8") as stream:
        text = stream.read(LONGEST + 1)
    if len(text) > LONGEST:
        raise ValueError(f"has more than {LONGEST} characters: keep it in a git repository (`git`) or in an image")
    return text


def _spec(spec: Mapping[str, Any], read: Read) -> dict[str, Any]:
    found = {**spec, "steps": _steps(spec.get("steps"), "spec.steps", read)} if "steps" in spec else dict(spec)
    if isinstance(exits := spec.get("onExit"), Mapping):
        found["onExit"] = {
            when: _steps(steps, f"spec.onExit.{when}", read) if isinstance(steps, list) else steps
            for when, steps in exits.items()
        }
    return found


def _steps(steps: Any, path: str, read: Read) -> Any:
    return (
        [_step(step, f"{path}[{index}]", read) for index, step in enumerate(steps)]
        if isinstance(steps, list)
        else steps
    )


def _step(step: Any, path: str, read: Read) -> Any:
    if not isinstance(step, Mapping):
        return step
    found = dict(step)
    tune, prep = step.get("tune"), step.get("prep")
    if "python" in step:
        found["python"] = _with_source(step["python"], f"{path}.python.file", read)
    if isinstance(prep, Mapping) and "code" in prep:
        found["prep"] = {**prep, "code": _with_source(prep["code"], f"{path}.prep.code.file", read)}
    if isinstance(tune, Mapping) and "step" in tune:
        found["tune"] = {**tune, "step": _step(tune["step"], f"{path}.tune.step", read)}
    if "steps" in step:
        found["steps"] = _steps(step["steps"], f"{path}.steps", read)
    return found


def _with_source(code: Any, path: str, read: Read) -> Any:
    """What names a file and has no code from elsewhere, with the text of the file."""
    named = isinstance(code, Mapping) and not any(key in code for key in _ELSEWHERE)
    if named and isinstance(name := code.get("file"), str):
        return {**code, "source": read(name, path)}
    return code
