"""`profile`: what a table is like, as JSON and as a page, with the numbers that later steps decide by as output parameters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlworkflow_steps.context import Context
from mlworkflow_steps.data.profile import survey
from mlworkflow_steps.data.sources import Source, load
from mlworkflow_steps.errors import StepFailure
from mlworkflow_steps.report.profile_page import profile_page
from mlworkflow_steps.spec import Fields

_INPUT = "table"


@dataclass(frozen=True, slots=True)
class Profile:
    """The spec of the kind, parsed."""

    source: Source
    target: str | None
    text: str | None

    @classmethod
    def parse(cls, spec: Mapping[str, Any]) -> Profile:
        fields = Fields(spec, "profile")
        source = fields.child("source") if fields.has("source") else Fields({"input": _INPUT}, fields.where("source"))
        parsed = cls(source=Source.parse(source), target=fields.text("target"), text=fields.text("text"))
        fields.done()
        return parsed


def run(context: Context) -> None:
    """Leaves profile, report and the output parameters."""
    spec = Profile.parse(context.spec)
    loaded = load(spec.source, context)
    frame = loaded.frame.set_axis(loaded.frame.columns.map(str), axis="columns")
    if not frame.columns.is_unique:
        raise StepFailure("SourceInvalid", f"column '{frame.columns[frame.columns.duplicated()][0]}' is there twice")
    target = spec.target or loaded.target
    for field, name in (("target", target), ("text", spec.text)):
        if name and name not in frame:
            raise StepFailure(
                "ColumnNotFound",
                f"profile.{field}: the table has no column '{name}'; it has: {', '.join(frame.columns)}",
            )
    facts = survey(frame, target, text=spec.text or "", origin=loaded.origin)
    context.output("profile").write_text(json.dumps(facts, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    page = profile_page(facts, f"{context.workflow} / {context.step}", context.digests)
    context.output("report").write_text(page, encoding="utf-8")
    for name, value in parameters(facts).items():
        context.set_parameter(name, value)
        print(f"{name} {value}")
    for sentence in facts["remarks"]:
        print(f"- {sentence}")


def parameters(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The output parameters. Those of classes and texts are there where the table has them."""
    text = facts.get("text", {})
    values = {
        "rows": facts["rows"],
        "columns": len(facts["columns"]),
        "duplicates": facts["duplicates"],
        "missing_share": facts["missing_share"],
        "task": facts["task"],
        "classes": len(facts["classes"]) if "classes" in facts else None,
        "smallest_class_share": facts.get("smallest_class_share"),
        "words_per_sample": text.get("words_per_sample"),
        "samples_per_words": text.get("samples_per_words"),
    }
    return {name: value for name, value in values.items() if value is not None}
