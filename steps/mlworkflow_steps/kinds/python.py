"""`python`: a function of the user's, called with the step's inputs and parameters; what it returns are the outputs."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from mlworkflow_steps.context import Context
from mlworkflow_steps.errors import StepFailure
from mlworkflow_steps.spec import Fields
from mlworkflow_steps.usercode.arguments import arguments_for, frames_of
from mlworkflow_steps.usercode.calling import load_function, run_script, told_by
from mlworkflow_steps.usercode.results import leave

ENVIRONMENT = "python-environment"
"""The input that has packages in it, beside those that are installed."""
REPOSITORY = "python-code"
"""The input that has the files of a git repository."""
CODE = "MLWF_CODE"
"""The variable that holds the code from a ConfigMap."""
_NAME = "step.py"


@dataclass(frozen=True, slots=True)
class Python:
    """The spec of the kind, parsed. `path` is that of a file of a repository, `sha256` that of a ConfigMap's code, "" where it is not pinned."""

    source: str | None
    path: str
    name: str
    sha256: str
    function: str
    is_script: bool

    @classmethod
    def parse(cls, spec: Mapping[str, Any]) -> Python:
        fields = Fields(spec, "python")
        key = fields.child("configMap")
        parsed = cls(
            source=fields.text("source"),
            path=fields.mapping("git").get("path", ""),
            name=fields.text("file") or key.text("key") or _NAME,
            sha256=key.text("sha256") or "",
            function=fields.text("function") or "main",
            is_script=fields.boolean("script", False),
        )
        key.text("name")
        fields.texts("requirements")  # they are an input by now
        key.done()
        fields.done()
        return parsed


def run(context: Context) -> None:
    """Raises StepFailure: what the code raised, or what does not fit between it and the step."""
    spec = Python.parse(context.spec)
    # Nothing but what is installed is importable: what happens to lie where `mlwf` was called is not there in a Pod.
    sys.path[:] = [entry for entry in sys.path if entry not in ("", os.getcwd())]
    if ENVIRONMENT in context.digests:
        _import_from(context.input(ENVIRONMENT))
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # what is printed is seen while the step runs, and in its order
    with _scratch(context, "code") as code, _scratch(context, "work") as work:
        if spec.path:
            file, code = _file_of(context.input(REPOSITORY), spec.path)
        else:
            file = code / _module_name(spec.name)
            file.write_text(_source(spec), encoding="utf-8")
        with contextlib.chdir(work):  # a file that the code writes by a bare name is the step's own, and gone with it
            _call(context, spec, code, file)


def _call(context: Context, spec: Python, folder: Path, file: Path) -> None:
    with told_by(folder):
        if spec.is_script:
            run_script(file)
            return
        function = load_function(file, spec.function)
    names = context.digests.keys() - {ENVIRONMENT, REPOSITORY}
    inputs = {name: context.inputs / name for name in sorted(names) if (context.inputs / name).exists()}
    arguments = arguments_for(function, inputs, context.params)
    frames = frames_of(arguments)
    with told_by(folder):
        given = function(**arguments)
    leave(context, spec.function, given, frames)


@contextlib.contextmanager
def _scratch(context: Context, name: str) -> Iterator[Path]:
    """An empty folder beside the step's own; always the same, for what is left may name it."""
    folder = (context.outputs.parent / name).resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _import_from(folder: Path) -> None:
    """Packages of `folder` come first, in this process and in those that it starts."""
    sys.path.insert(0, str(folder))
    others = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = f"{folder}{os.pathsep}{others}" if others else str(folder)


def _file_of(repository: Path, path: str) -> tuple[Path, Path]:
    """The file in a repository, and the repository's top, from which can be imported too."""
    top = repository.resolve()
    file = (top / path).resolve()
    if not file.is_file() or not file.is_relative_to(top):
        raise StepFailure("CodeInvalid", f"python.git.path: there is no file '{path}' at this commit")
    sys.dont_write_bytecode = True  # an input stays as it is
    sys.path.insert(0, str(top))
    return file, top


def _source(spec: Python) -> str:
    if spec.source is not None:
        return spec.source
    source = os.environ.pop(CODE, None)
    if source is None:
        raise StepFailure(
            "SpecInvalid", "python.configMap: is of a cluster, and this is none: a local run takes `file`"
        )
    digest = hashlib.sha256(source.encode()).hexdigest()
    if spec.sha256 and digest != spec.sha256:
        raise StepFailure("CodeInvalid", f"python.configMap.sha256: the code has {digest}, not {spec.sha256}")
    return source


def _module_name(name: str) -> str:
    """A file's name that is a module's too, and no module's that the code could want to import."""
    stem = "".join(letter if letter.isidentifier() or letter.isdigit() else "_" for letter in Path(name).stem)
    usable = stem if stem.isidentifier() and stem not in sys.stdlib_module_names else f"{stem}_"
    return f"{usable if usable.isidentifier() else f'_{usable}'}.py"
