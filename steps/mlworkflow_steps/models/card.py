"""The model card: what a person has to know before they use a model, in Markdown. What the author says of it stands in the spec; everything else follows from the manifest."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from mlworkflow_steps.errors import SpecInvalid
from mlworkflow_steps.models.manifest import Manifest
from mlworkflow_steps.spec import Fields

FILE = "card.md"
FIELDS: Mapping[str, str] = {
    "intendedUse": "Intended use",
    "outOfScope": "Out of scope",
    "limitations": "Limitations",
    "ethics": "Ethical considerations",
    "owner": "Owner",
    "license": "License",
}
"""Field of the spec → heading. `name` and `description` come before them."""
MANDATORY = ("intendedUse", "limitations", "owner")
_MOST_FEATURES = 50


def parse_card(fields: Fields) -> dict[str, str]:
    """What the author says, by field. Raises StepFailure (SpecInvalid) where the card is `strict` and a mandatory field is missing."""
    strict = fields.boolean("strict", default=False)
    said = {name: fields.text(name) or "" for name in ("name", "description", *FIELDS)}
    fields.done()
    for name in MANDATORY:
        if strict and not said[name].strip():
            raise SpecInvalid(fields.where(name), "is missing, and the card is strict")
    return {name: text for name, text in said.items() if text.strip()}


def card_of(facts: Manifest) -> str:
    """The whole document."""
    said = facts.card
    parts = [f"# {_text(said.get('name') or f'{facts.estimator}: {_target(facts)}')}"]
    if "description" in said:
        parts.append(_text(said["description"]))
    for name, heading in FIELDS.items():
        if name in said or name in MANDATORY:
            parts.append(f"## {heading}\n\n{_text(said.get(name, '')) or '_Not said._'}")
    parts += [_model(facts), _data(facts), _metrics(facts), _loading(facts)]
    return "\n\n".join(parts) + "\n"


def _target(facts: Manifest) -> str:
    return facts.target if isinstance(facts.target, str) else ", ".join(facts.target)


def _model(facts: Manifest) -> str:
    rows = [
        ("Task", facts.task),
        ("Target", _target(facts)),
        ("Classes", ", ".join(map(str, facts.classes))),
        ("Estimator", facts.estimator),
        ("As declared", _code(facts.spec)),
        ("Parameters", _code(facts.params)),
        ("Seed", facts.seed),
    ]
    return "## Model\n\n" + _table(["", ""], [row for row in rows if row[1] != ""])


def _data(facts: Manifest) -> str:
    digests = [(name, f"`{digest}`") for name, digest in sorted(facts.inputs.items())]
    names = [f"`{name}`" for name in facts.features[:_MOST_FEATURES]]
    more = len(facts.features) - len(names)
    features = ", ".join(names) + (f" and {more:,} more" if more else "")
    made = f", made of raw rows by `{facts.features_digest}`" if facts.features_digest else ""
    return (
        f"## Training data\n\n{facts.rows:,} rows, {len(facts.features):,} features{made}. The same digest is the same data.\n\n"
        f"{_table(['Input', 'Digest'], digests)}\n\nFeatures: {features}"
    )


def _metrics(facts: Manifest) -> str:
    if not facts.metrics:
        return "## Metrics\n\nNone were measured in training; the report of an `evaluate` step has those of data that the model had not seen."
    rows = [(f"`{name}`", f"{value:.6g}") for name, value in sorted(facts.metrics.items())]
    return "## Metrics\n\nOf the training step; `cv_` is the mean over the folds of its cross-validation.\n\n" + _table(["Metric", "Value"], rows)  # fmt: skip


def _loading(facts: Manifest) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in facts.versions.items())
    onnx = ""
    if facts.onnx:
        onnx = "\n\n`model.onnx` says the same in ONNX." if facts.onnx["converted"] else f"\n\nThere is no ONNX: {_text(facts.onnx['why'])}"  # fmt: skip
    return (
        f"## Use\n\n```python\nimport mlworkflow_steps\n\nmlworkflow_steps.load(\"model\").predict(frame)\n```\n\nTrained with {versions}.{onnx}"
    )  # fmt: skip


def _table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    head = list(head)
    lines = [head, ["---"] * len(head), *([_cell(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: object) -> str:
    return " ".join(_text(str(value)).split()).replace("|", "\\|")


def _code(value: Any) -> str:
    return f"`{json.dumps(value, sort_keys=True, ensure_ascii=False)}`"


def _text(text: str) -> str:
    """The author's own Markdown, and no HTML: a card is shown on pages of others."""
    return text.strip().replace("<", "&lt;")
