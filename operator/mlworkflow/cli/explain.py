"""`mlwf explain` and `mlwf schema`: what a field of a workflow or a reason of a step means."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlworkflow.cli.answers import show
from mlworkflow.cli.formats import Format
from mlworkflow.cli.options import Output
from mlworkflow.runs.errors import RunsError

if TYPE_CHECKING:
    from mlworkflow.runs.reasons import Reason
    from mlworkflow.schema.explaining import Field

_WIDTH = 100


def explain(
    what: Annotated[
        str,
        typer.Argument(
            metavar="PATH", help="A field (`steps.tune.algorithm`), a kind (`tune`), or a reason (`OOMKilled`)."
        ),
    ] = "spec",
    kinds: Annotated[bool, typer.Option("--kinds", help="List the kinds of step.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Say what a field means, as kubectl explain does, or why a step failed and what to do.

    A field is told with its type, its default, its bounds, an example, and the fields below it. Lists and maps are passed through: `steps.inputs.from`
    is that of any input of any step. `spec.` may be left out, and before a field of a step `steps.` too. A reason is the word that stands at a step which
    did not succeed, in `mlwf get` and in the status.
    """
    from mlworkflow.runs import reasons
    from mlworkflow.schema.explaining import Explainer, NoSuchField

    if kinds:
        found = list(Explainer().kinds())
        show(output, [field.plain() for field in found], lambda: "\n".join(_listed(found)))
        return
    if "." not in what and (meant := reasons.find(what)):
        show(output, [reason.plain() for reason in meant], lambda: "\n\n".join(map(_reason, meant)))
        return
    try:
        field = Explainer().field(what)
    except NoSuchField as error:
        from difflib import get_close_matches

        near = [*get_close_matches(what, [reason.name for reason in reasons.all_reasons()], 2), *error.near]
        raise RunsError(str(error), f"there is: {', '.join(near)}") from None
    example = _example(field.path)
    show(output, {**field.plain(), "example": example}, lambda: "\n".join(_page(field, example)))


def schema() -> None:
    """Print the JSON Schema of a workflow file, for editors and other programs (docs/editors.md)."""
    from mlworkflow.schema.editor import editor_schema

    print(json.dumps(editor_schema(), indent=2, ensure_ascii=False))


def _reason(reason: Reason) -> str:
    of = f" ({reason.of})" if reason.of else ""
    return "\n".join([f"REASON   {reason.name}{of}", *_told("MEANING", reason.meaning), *_told("TO DO", reason.remedy)])


def _told(title: str, words: str) -> Iterator[str]:
    import textwrap

    first, *rest = textwrap.wrap(words, _WIDTH - 9) or [""]
    yield f"{title:<9}{first}"
    yield from (f"{'':<9}{line}" for line in rest)


def _page(field: Field, example: str) -> Iterator[str]:
    yield from _told("FIELD", f"{'.'.join(field.path)} <{field.type}>{' -required-' if field.is_required else ''}")
    if field.default:
        yield from _told("DEFAULT", field.default)
    if field.bounds:
        yield from _told("BOUNDS", ", ".join(field.bounds))
    if field.values:
        yield from _told("ONE OF", ", ".join(field.values))
    for number, paragraph in enumerate(field.description.split("\n\n")):
        yield ""
        yield from _told("" if number else "MEANING", " ".join(paragraph.split()))
    if field.fields:
        yield "\nFIELDS"
        yield from _listed(field.fields)
    if example:
        yield "\nEXAMPLE"
        yield from (f"  {line}" for line in example.splitlines())


def _listed(fields: Sequence[Field]) -> Iterator[str]:
    """One line each: the name, with its type, and the first sentence of what is said of it."""
    named = [(f"{field.path[-1]}{'*' if field.is_required else ''} <{field.type}>", field) for field in fields]
    width = min(44, max((len(name) for name, _ in named), default=0))
    for name, field in named:
        words = field.description.partition("\n")[0]
        limits = "; ".join([*field.bounds, *([f"default {field.default}"] if field.default else [])])
        yield f"  {name:<{width}}  {words}{f' ({limits})' if limits else ''}"
    if any(field.is_required for field in fields):
        yield "  * required"


def _example(path: Sequence[str]) -> str:
    """The first use of a field of a step: in the example of its kind, else in a project that `mlwf init` begins."""
    import yaml

    from mlworkflow.cli.init import FOLDER, WORKFLOW
    from mlworkflow.core.kinds import KINDS

    rest = list(path[2:])
    if path[:2] != ("spec", "steps") or not rest:
        return ""
    if len(rest) == 1 and rest[0] in KINDS:
        return KINDS[rest[0]].example.strip()
    texts = [KINDS[rest[0]].example] if rest[0] in KINDS else []
    texts += [kind.example for kind in KINDS.values() if kind.example]
    for text in texts:
        steps = yaml.safe_load(text)
        for step in steps if isinstance(steps, list) else [steps]:
            if (used := _use(step, rest)) is not None:
                return _dumped({"name": step["name"], **used})
    for file in sorted(FOLDER.glob(f"*/{WORKFLOW}")):
        for step in yaml.safe_load(file.read_text(encoding="utf-8"))["spec"]["steps"]:
            if (used := _use(step, rest)) is not None:
                return _dumped({"name": step["name"], **used})
    return ""


def _use(value: Any, rest: Sequence[str]) -> Any:
    """What of a value leads to a field, and nothing beside it; None where it is not used."""
    if not rest:
        return value
    if isinstance(value, list):
        uses = [used for item in value if (used := _use(item, rest)) is not None]
        return uses[:1] or None
    if not isinstance(value, dict):
        return None
    if rest[0] in value:
        used = _use(value[rest[0]], rest[1:])
        return None if used is None else {rest[0]: used}
    for name, item in value.items():  # a name that the user chose
        if isinstance(item, dict) and rest[0] in item and (used := _use(item, rest)) is not None:
            return {name: used}
    return None


def _dumped(step: Any) -> str:
    import yaml

    return str(yaml.safe_dump(step, sort_keys=False, allow_unicode=True, width=_WIDTH, default_flow_style=None)).strip()
