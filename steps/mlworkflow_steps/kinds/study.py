"""`study`: what a search has tried, as JSON and as a page, and its trials as a table with all that is known of each."""

from __future__ import annotations

import json

from mlworkflow_steps.context import Context
from mlworkflow_steps.data.trials import Study, table
from mlworkflow_steps.report.study_facts import study_facts
from mlworkflow_steps.report.study_page import study_page
from mlworkflow_steps.spec import Fields


def run(context: Context) -> None:
    """Leaves `report`, `facts`, `table` (Parquet) and `csv`. Raises StepFailure (InputInvalid)."""
    Fields(context.spec, "study").done()
    study = Study.read(context.input("study"))
    frame = table(study)
    frame.to_parquet(context.output("table"), index=False)
    frame.to_csv(context.output("csv"), index=False, lineterminator="\n")
    facts = study_facts(study)
    context.output("facts").write_text(json.dumps(facts, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    page = study_page(facts, f"{study.document['workflow']} / {study.document['step']}", context.digests)
    context.output("report").write_text(page, encoding="utf-8")
    best = facts["best"]
    print(
        f"{len(frame)} trials, the best is {best['trial']}: {json.dumps(best['values'])} with {json.dumps(best['params'])}"
    )
