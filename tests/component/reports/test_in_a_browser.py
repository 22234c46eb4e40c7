"""Reports in a real browser: they ask nothing of the network, and fit a phone as they fit a screen.

``MLWF_PICTURES`` names a folder for pictures of them, to be looked at.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from browser import browser
from evaluations import clusters, labels, many_classes, quantities, quantity, two_classes
from mlworkflow_steps.evaluation.evaluation import Evaluation
from mlworkflow_steps.report.evaluation_page import evaluation_page

PHONE, SCREEN = 360, 1100
_ALWAYS = {"All metrics", "How it came to be"}
_PREDICTIONS = {"What the model uses", "How it uses them", "Worst rows"}
_PROBABILITIES = {"ROC curve", "Precision and recall", "Calibration"}


@pytest.mark.parametrize(
    ("example", "titles", "charts"),
    [
        (quantity, _PREDICTIONS | {"Gate", "Beside the champion", "Predicted and true", "Errors", "Slices", "By day", "By hour", "Errors over time", "hour and day", "One row through the tree"}, 9),
        (two_classes, _PREDICTIONS | _PROBABILITIES | {"Gate", "Beside the champion", "Confusion matrix", "By class", "Slices", "By country", "By age"}, 10),
        (many_classes, _PREDICTIONS | _PROBABILITIES | {"Gate", "Confusion matrix", "By class"}, 8),
        (labels, _PREDICTIONS | _PROBABILITIES | {"By label"}, 6),
        (quantities, _PREDICTIONS | {"Gate", "Beside the champion", "By target", "Predicted and true power", "Predicted and true price", "Slices", "By wind", "Errors over time"}, 7),
        (clusters, {"Gate", "Clusters", "Clusters and known groups"}, 1),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)  # fmt: skip
async def test_a_report_is_whole_without_a_network_on_a_phone_and_a_screen(
    tmp_path: Path, example: Callable[[], Evaluation], titles: set[str], charts: int
) -> None:
    file = tmp_path / "report.html"
    file.write_text(evaluation_page(example(), f"a-workflow / {example.__name__}", {"model": "sha256:" + 64 * "a"}))
    async with browser(tmp_path / "browser") as window:
        seen = {
            (width, scheme): await window.look(file, width, scheme=scheme)
            for width, scheme in ((SCREEN, "light"), (PHONE, "light"), (SCREEN, "dark"))
        }
    for (width, scheme), page in seen.items():
        if "MLWF_PICTURES" in os.environ:
            (Path(os.environ["MLWF_PICTURES"]) / f"{example.__name__}-{width}-{scheme}.png").write_bytes(page.picture)
        assert (page.requests, page.complaints) == ([], [])
        assert (page.width, page.escaping) == (width, [])
        assert _ALWAYS | titles <= set(page.titles)
        assert (page.charts, page.empty) == (charts, 0)
    assert seen[SCREEN, "light"].background != seen[SCREEN, "dark"].background
