"""`environment`: packages, resolved against what is installed here already, and put into a folder of their own by pip."""

from __future__ import annotations

import compileall
import json
import py_compile
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlworkflow_steps.context import Context
from mlworkflow_steps.errors import StepFailure
from mlworkflow_steps.spec import Fields

_PIP = (sys.executable, "-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--progress-bar", "off")
_LAST_LINES = 5
_LONGEST = 1500


def run(context: Context) -> None:
    """Leaves `environment`, `lock` and how many `packages` there are. Raises StepFailure (RequirementsFailed) with what pip said last."""
    fields = Fields(context.spec, "environment")
    wanted = [str(text) for text in fields.objects("requirements")]
    fields.done()
    folder = context.output("environment")
    folder.mkdir()
    lines = lock(wanted)
    context.output("lock").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    if lines:
        _install(lines, folder)
    context.set_parameter("packages", len(lines))
    print(
        f"{len(lines)} packages: {', '.join(line.partition(' ')[0] for line in lines) or 'all are installed already'}"
    )


def lock(wanted: Sequence[str]) -> list[str]:
    """What pip would install beside what is there: a line each, as it stands in a file of requirements. Nothing is installed."""
    with tempfile.TemporaryDirectory() as scratch:
        names, report = Path(scratch) / "requirements.txt", Path(scratch) / "report.json"
        names.write_text("".join(f"{text}\n" for text in wanted), encoding="utf-8")
        _pip("--dry-run", "--report", str(report), "--requirement", str(names))
        found = json.loads(report.read_text(encoding="utf-8"))["install"]
    return sorted(_line(item) for item in found)


def _line(item: Mapping[str, Any]) -> str:
    name, version, source = item["metadata"]["name"], item["metadata"]["version"], item["download_info"]
    if item.get("is_direct"):
        vcs = source.get("vcs_info")
        return f"{name} @ {vcs['vcs']}+{source['url']}@{vcs['commit_id']}" if vcs else f"{name} @ {source['url']}"
    hashes = source.get("archive_info", {}).get("hashes", {})
    return f"{name}=={version}" + (f" --hash=sha256:{hashes['sha256']}" if "sha256" in hashes else "")


def _install(lines: Sequence[str], folder: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        names = Path(scratch) / "lock.txt"
        # pip wants a hash of all or of none: what is checked out has none, and its commit says as much.
        pinned = lines if all("--hash" in line for line in lines) else [line.partition(" --hash")[0] for line in lines]
        names.write_text("".join(f"{line}\n" for line in pinned), encoding="utf-8")
        _pip("--no-deps", "--no-compile", "--target", str(folder), "--requirement", str(names))
    # As an artifact, files have no times: byte code that is checked by them would be made anew by every step.
    compileall.compile_dir(
        folder, quiet=2, stripdir=str(folder), prependdir="environment", invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
    )  # fmt: skip


def _pip(*arguments: str) -> None:
    """Raises StepFailure with the last words of pip, which have been printed as they came."""
    last: deque[str] = deque(maxlen=_LAST_LINES)
    with subprocess.Popen([*_PIP, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            last.append(line.strip())
    if process.returncode:
        errors = [line.removeprefix("ERROR: ") for line in last if line.startswith("ERROR: ")]
        raise StepFailure(
            "RequirementsFailed", "\n".join(errors or last)[-_LONGEST:] or f"pip ended with {process.returncode}"
        )
