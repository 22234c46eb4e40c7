"""What the user's process left: artifacts and output parameters, by their declared types."""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Mapping

from mlworkflow_steps.agent.errors import StepFailure
from mlworkflow_steps.agent.folders import Folders, is_within, read_untrusted

TYPE_CHECKING = False  # importing typing would cost more than all of this
if TYPE_CHECKING:
    from typing import Any

ARTIFACT_TYPES = ("artifact", "file", "directory")
ALWAYS = "always"
# Values go from the step's file to the next step's by JSON alone, and through no template, shell or annotation on the way: there a
# big one is cut (argo-workflows #15512) and quotes, braces or backslashes in it come out as something else (#13718).
LONGEST_PARAMETER = 1 << 20


class Outputs:
    """`artifacts` is name → path, `parameters` is name → value."""

    def __init__(self) -> None:
        self.artifacts: dict[str, str] = {}
        self.parameters: dict[str, Any] = {}


def kept_always(declared: Mapping[str, Mapping[str, Any]], folders: Folders) -> Outputs:
    """What is there, and as declared, of the outputs that are kept after a failure too."""
    found = Outputs()
    for name, output in declared.items():
        if output.get("keep") == ALWAYS:
            with contextlib.suppress(StepFailure):
                one = collect({name: output}, folders, undeclared=False)
                found.artifacts |= one.artifacts
                found.parameters |= one.parameters
    return found


def collect(declared: Mapping[str, Mapping[str, Any]], folders: Folders, *, undeclared: bool = True) -> Outputs:
    """All outputs of a step, with parameters that it did not declare if `undeclared`; raises `StepFailure`: `OutputMissing` naming all that miss, `OutputInvalid` naming all
    that are wrong.
    """
    outputs, missing, wrong = Outputs(), [], []
    names = set(_parameter_files(folders) if undeclared else ()) | {
        name for name, output in declared.items() if not _is_artifact(output)
    }
    for name in sorted(names):
        kind = declared[name]["type"] if name in declared else ""
        try:
            data = read_untrusted(os.path.join(folders.output_params, name), LONGEST_PARAMETER)
            if data is not None:
                outputs.parameters[name] = _value(data, kind)
            elif not declared[name].get("optional"):
                missing.append(f"params/{name}")
        except (OSError, ValueError) as error:
            wrong.append(f"params/{name}: {error}")
    for name, output in declared.items():
        if not _is_artifact(output):
            continue
        path = os.path.join(folders.outputs, name)
        if not os.path.lexists(path):
            if not output.get("optional"):
                missing.append(name)
        elif problem := _problem(path, output["type"], folders):
            wrong.append(f"{name}: {problem}")
        else:
            outputs.artifacts[name] = os.path.realpath(path)
    if missing:
        raise StepFailure("OutputMissing", f"missing in $MLWF_OUT: {', '.join(missing)}")
    if wrong:
        raise StepFailure("OutputInvalid", "; ".join(wrong))
    return outputs


def _is_artifact(output: Mapping[str, Any]) -> bool:
    return output["type"] in ARTIFACT_TYPES


def _parameter_files(folders: Folders) -> list[str]:
    if not is_within(folders.output_params, folders.root):
        return []
    try:
        names = os.listdir(folders.output_params)
    except OSError:
        return []
    return [name for name in names if not name.startswith(".") and name.isprintable()]


def _problem(path: str, kind: str, folders: Folders) -> str:
    if not is_within(path, folders.outputs):
        return "a link that leads out of $MLWF_OUT"
    found = "directory" if os.path.isdir(path) else "file" if os.path.isfile(path) else ""
    if not found:
        return "neither a file nor a directory"
    return "" if kind in ("artifact", found) else f"declared as {kind}, found a {found}"


def _value(data: bytes, kind: str) -> Any:
    """The value of a parameter's file; `kind` is empty where it is not declared. Raises `ValueError`."""
    if len(data) > LONGEST_PARAMETER:
        raise ValueError(f"more than {LONGEST_PARAMETER >> 20} MiB: make it an artifact")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 at byte {error.start}: make it an artifact") from None
    if kind == "string":
        return text.removesuffix("\n")
    try:
        value = json.loads(text, parse_constant=_refuse, parse_float=_finite)
        if "\\ud" in text.lower():
            _check_text(value)
    except (ValueError, RecursionError) as error:
        if not kind:
            return text.removesuffix("\n")
        raise ValueError(f"not JSON: {error}") from None
    if not _is_of(value, kind):
        raise ValueError(f"declared as {kind}, found {json.dumps(value)[:80]}")
    return value


def _is_of(value: Any, kind: str) -> bool:
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    if kind == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return True


def _check_text(value: Any) -> None:
    """Raises `ValueError` where a string holds half of a surrogate pair: JSON can write it, but it is no Unicode."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = error.object[error.start]
        raise ValueError(f"a string holds half of a surrogate pair, {ascii(half)[1:-1]}") from None


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _refuse(text)


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not a number that JSON can hold")
