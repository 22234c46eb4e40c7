"""`mlwf init`: a folder with a workflow that runs at once, to be made one's own."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from mlworkflow.cli import completing
from mlworkflow.cli.answers import show
from mlworkflow.cli.formats import Format
from mlworkflow.cli.options import Output
from mlworkflow.runs.errors import RunsError, Usage

FOLDER = Path(__file__).with_name("starters")
WORKFLOW = "workflow.yaml"
SCHEMA = "mlworkflow.schema.json"
MODELINE = f"# yaml-language-server: $schema={SCHEMA}\n"
_IGNORED = ".mlworkflow/\n"


@dataclass(frozen=True, slots=True)
class Starter:
    """A project to begin with: `summary` for those who choose, `copied` the example that its workflow is, if it is one."""

    name: str
    summary: str
    copied: str = ""

    def files(self, called: str) -> Mapping[str, str]:
        """Name → text of every file of the project, whose workflow is `called` so."""
        import json

        from mlworkflow.schema.editor import editor_schema

        found = {path.name: path.read_text(encoding="utf-8") for path in sorted((FOLDER / self.name).iterdir())}
        text = found[WORKFLOW].replace(f"examples/{self.copied}", WORKFLOW) if self.copied else found[WORKFLOW]
        text = text.replace(f"name: {Path(self.copied).stem or self.name}", f"name: {called}", 1)
        return {
            **found,
            WORKFLOW: MODELINE + text,
            SCHEMA: json.dumps(editor_schema(), indent=1, ensure_ascii=False) + "\n",
            ".gitignore": _IGNORED,
            "README.md": f"# {called}\n\n{self.summary[0].upper()}{self.summary[1:]}: run it with `mlwf run {WORKFLOW}`, "
            f"see what a field means with `mlwf explain steps`, and submit it to a cluster with `mlwf submit {WORKFLOW}`.\n",
        }


STARTERS = {
    starter.name: starter
    for starter in (
        Starter("classification", "a class for each row of your own table: tuned, evaluated behind a gate, promoted"),
        Starter("regression", "a number for each row of your own table: profiled, trained, evaluated, predicted"),
        Starter("text", "a class for each text, by a network over words or over runs of letters", "text.yaml"),
        Starter("container", "steps in any language, each in an image of its own", "any-language.yaml"),
        Starter("python", "steps that are Python functions, without an image of your own", "python.yaml"),
    )
}


def init(
    template: Annotated[
        str | None,
        typer.Argument(
            metavar="TEMPLATE",
            help="Which one; without it they are listed, and on a terminal you are asked.",
            autocompletion=completing.templates,
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="DIR", help="Where to; a new folder, or one that has none of these files. [default: TEMPLATE]"
        ),
    ] = None,
    output: Output = Format.TABLE,
) -> None:
    """Begin a project: a workflow that runs at once, with data where it needs some.

    The folder gets workflow.yaml, a README, a .gitignore and the schema that editors complete and check with. Nothing that is there already is ever
    overwritten: where one of these files exists, nothing is written at all.
    """
    if template is None:
        listed = "\n".join(f"{starter.name:<15} {starter.summary}" for starter in STARTERS.values())
        if output is not Format.TABLE or not (sys.stdin.isatty() and sys.stdout.isatty()):
            plain = [{"name": starter.name, "summary": starter.summary} for starter in STARTERS.values()]
            show(output, plain, lambda: listed)
            return
        print(listed)
        template = str(typer.prompt("\nWhich one", default=next(iter(STARTERS)))).strip()
    starter = STARTERS.get(template)
    if starter is None:
        raise Usage(f"there is no template '{template}'", f"there are: {', '.join(STARTERS)}")
    target = folder or Path(template)
    written = _write(target, starter.files(_called(target, template)))
    there = "" if target.resolve() == Path.cwd() else f"cd {shlex.quote(str(target))} && "
    words = f"{target}: {', '.join(written)}\nrun it: {there}mlwf run {WORKFLOW}"
    show(output, {"template": template, "folder": str(target), "files": written}, lambda: words)


def _called(folder: Path, template: str) -> str:
    """The folder's name as that of a workflow; that of the template, where it cannot be one."""
    import re

    name = re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-")[:40].strip("-")
    return name or template


def _write(folder: Path, files: Mapping[str, str]) -> list[str]:
    """Write all of them, or none. Raises RunsError, OSError."""
    there = [name for name in files if (folder / name).exists()]
    if there:
        raise RunsError(
            f"{folder} has {', '.join(there)} already: nothing was written",
            "name another folder: mlwf init TEMPLATE DIR",
        )
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        with (folder / name).open("x", encoding="utf-8") as file:
            file.write(text)
    return list(files)
