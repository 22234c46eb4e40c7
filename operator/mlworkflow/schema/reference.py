"""The reference page: every object of the resource as a table of its fields, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from mlworkflow.core.kinds import KINDS, Kind
from mlworkflow.core.names import API_VERSION, KIND
from mlworkflow.schema.resource import COMMON, SPEC, STATUS, STEP, Schema, objects, references_in, referred
from mlworkflow.schema.words import default_words, one_of, type_words

_TITLES = {
    SPEC: "The workflow: `spec`",
    STEP: "A step: `spec.steps[]`",
    COMMON: "Common fields: `spec.steps[]`, `spec.defaults`",
    STATUS: "The state: `status`",
}
BOUNDS = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
_INTRODUCTION = f"""\
# Reference

`apiVersion: {API_VERSION}`, `kind: {KIND}`. Every field of the resource, generated from the model by `make crds`.
The same texts are in the cluster: `kubectl explain mlwf.spec.steps.tune`. Editors complete and check with
[`mlworkflow.schema.json`](mlworkflow.schema.json).

An **expression** is CEL between `${{{{` and `}}}}`. Where a type says *or expression* a whole expression gives the value;
in any other text of a step an expression is replaced by its value. A **duration** is `90s`, `1h30m`, `250ms` or `2d`.
A field in **bold** is required.
"""


def reference_page() -> str:
    """The whole page."""
    found = objects()
    seen = {SPEC, STEP, COMMON}
    shared = found[COMMON]["properties"]
    fields = {name: value for name, value in found[STEP]["properties"].items() if name not in shared}
    step = {**found[STEP], "properties": fields}
    for kind in KINDS.values():
        fields[kind.name] |= {"description": f"{kind.summary.capitalize()}."}
    seen |= {kind.body.__name__ for kind in KINDS.values()}
    parts = [_INTRODUCTION, *_section(SPEC, found[SPEC]), *_below(found, found[SPEC], seen)]
    parts += [*_section(STEP, step), *_below(found, step, seen)]
    parts += [*_section(COMMON, found[COMMON]), *_below(found, found[COMMON], seen)]
    for kind in KINDS.values():
        parts += [*_kind(found, kind), *_below(found, found[kind.body.__name__], seen)]
    parts += [*_section(STATUS, found[STATUS]), *_below(found, found[STATUS], seen)]
    return "\n".join(parts)


def _section(name: str, schema: Schema) -> Iterator[str]:
    yield f"## {_title(name)}\n\n{schema['description']}\n"
    yield _table(schema)


def _kind(found: Mapping[str, Schema], kind: Kind) -> Iterator[str]:
    schema = found[kind.body.__name__]
    yield f"## {_title(kind.body.__name__)}\n\n{schema['description']}\n"
    yield from _list("Needs the inputs", (f"`{name}`" for name in kind.inputs))
    notes = dict.fromkeys(kind.optional_outputs, ", not always")
    yield from _list("Leaves", (f"`{name}` ({type_}{notes.get(name, '')})" for name, type_ in kind.outputs.items()))
    if kind.open_parameters:
        yield "Further output parameters follow from the data.\n"
    if kind.example:
        yield f"```yaml\n{kind.example.strip()}\n```\n"
    if schema["properties"]:
        yield _table(schema)


def _below(found: Mapping[str, Schema], schema: Schema, seen: set[str]) -> Iterator[str]:
    """The objects that a schema leads to and that no earlier part has shown, each after the one that first names it."""
    for name in references_in(schema):
        if name not in seen:
            seen.add(name)
            yield f"### {_title(name)}\n\n{found[name].get('description', '')}\n"
            if found[name]["properties"]:
                yield _table(found[name])
            yield from _below(found, found[name], seen)


def _table(schema: Schema) -> str:
    required = schema.get("required", [])
    rows = ["| field | type | default | description |", "|---|---|---|---|"]
    for name, field in schema["properties"].items():
        default = default_words(field)
        shown = f"**`{name}`**" if name in required else f"`{name}`"
        rows.append(f"| {shown} | {_type(field)} | {f'`{default}`' if default else ''} | {_cell(field)} |")
    return "\n".join(rows) + "\n"


def _cell(field: Schema) -> str:
    description = field.get("description", "")
    unsaid = any(f"`{value}`" not in description for value in field.get("enum", ()))
    values = f" One of {', '.join(f'`{value}`' for value in field['enum'])}." if unsaid else ""
    bounds = [f"{word} {field[key]}" for key, word in BOUNDS.items() if key in field]
    limits = f" {', '.join(bounds).capitalize()}." if bounds else ""
    return f"{description}{values}{limits}".strip().replace("|", "\\|")


def _type(field: Schema) -> str:
    if "$ref" in field:
        name = referred(field)
        return f"[{name}](#{_anchor(name)})"
    if "anyOf" in field:
        linked = [_type(option) for option in field["anyOf"] if "$ref" in option]
        return one_of(linked + [word for word in type_words(field) if word != "object" or not linked])
    if field.get("type") == "array":
        return f"list of {_type(field.get('items', {}))}"
    if field.get("type") == "object":
        return f"map to {_type(field.get('additionalProperties', {}))}"
    return one_of(type_words(field)) or "any JSON"


def _list(title: str, items: Iterable[str]) -> Iterator[str]:
    if text := ", ".join(items):
        yield f"{title}: {text}.\n"


def _title(name: str) -> str:
    if name in _TITLES:
        return _TITLES[name]
    kinds = {kind.body.__name__: kind.name for kind in KINDS.values()}
    return f"Kind `{kinds[name]}`" if name in kinds else name


def _anchor(name: str) -> str:
    """As GitHub makes it from a heading."""
    kept = "".join(character for character in _title(name).lower() if character.isalnum() or character in " -_")
    return kept.replace(" ", "-")
