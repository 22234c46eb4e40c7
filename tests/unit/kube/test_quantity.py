"""Quantities as the API server writes them."""

from __future__ import annotations

import pytest
from mlworkflow.kube.quantity import quantity


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("250m", 0.25),
        ("2", 2.0),
        ("1Gi", 2.0**30),
        ("1k", 1e3),
        ("1e3", 1e3),
        ("12n", 12e-9),
        ("1E", 1e18),
        (4, 4.0),
        ("x", 0.0),
    ],
)
def test_a_quantity(text: str | int, number: float) -> None:
    assert quantity(text) == pytest.approx(number)
