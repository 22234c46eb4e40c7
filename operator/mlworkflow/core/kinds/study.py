"""`study`: what a search has tried, as a page and as a table. A tune step with `report: true` stands for such a step too."""

from __future__ import annotations

from mlworkflow.core.kinds._kind import Kind, built_in
from mlworkflow.core.values import Fields


class Study(Fields, frozen=True):
    """Makes of the input `study`, which a `tune` step leaves: `report` (one HTML file: history, importances, slices, parallel coordinates, Pareto front, time line),
    `facts` (the same numbers as JSON), and the table of the trials with all that is known of each, `table` (Parquet) and `csv`.
    """


_EXAMPLE = """\
name: look
inputs: {study: {from: tune.study}}
study: {}
"""

KIND = Kind(
    name="study",
    order=35,
    summary="what a search has tried: a page, and a table",
    body=Study,
    command=built_in("study"),
    inputs=("study",),
    outputs={"report": "file", "facts": "file", "table": "file", "csv": "file"},
    is_cached=True,
    example=_EXAMPLE,
)
