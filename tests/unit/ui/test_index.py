"""The list of runs: filtered, sorted and paged in memory."""

from __future__ import annotations

from typing import Any, cast

import pytest
from mlworkflow.runs.errors import Usage
from mlworkflow.ui.answers import RunRow
from mlworkflow.ui.index import Index, Query

PHASES = ("Succeeded", "Failed", "Running")


def row(number: int, **more: Any) -> RunRow:
    given: dict[str, Any] = {
        "namespace": "red" if number % 2 else "blue",
        "id": f"run-{number:05d}",
        "uid": f"uid-{number:05d}",
        "phase": PHASES[number % 3],
        "progress": "1/1",
        "message": "",
        "created": number + 1,
        "started": number + 1,
        "finished": number + 6,
        "waiting": 0,
        "params": {"seed": number},
    }
    return RunRow(**{**given, **more})


@pytest.fixture(scope="module")
def many() -> Index:
    index = Index()
    for number in range(10_000):
        index.put(row(number))
    return index


def test_pages_follow_each_other_without_a_gap_or_a_repetition(many: Index) -> None:
    seen, cursor = [], ""
    while True:
        page = many.page(Query(namespace="red", phases=frozenset({"Failed"}), cursor=cursor, limit=500))
        seen += [each.uid for each in page.rows]
        if not (cursor := page.next):
            break
    assert seen == [f"uid-{number:05d}" for number in reversed(range(10_000)) if number % 2 and number % 3 == 1]
    assert page.total == len(seen)


def test_counts_are_of_all_phases_whatever_phase_is_asked_for(many: Index) -> None:
    page = many.page(Query(phases=frozenset({"Running"}), limit=1))
    assert (page.total, sum(page.phases.values())) == (3333, 10_000)
    assert page.namespaces == ["blue", "red"]


def test_words_are_looked_for_in_names_and_parameters(many: Index) -> None:
    assert [each.id for each in many.page(Query(text="RUN seed=4711")).rows] == ["run-04711"]


@pytest.mark.parametrize(
    ("sort", "first"), [("started", 0), ("-started", 9999), ("name", 0), ("-name", 9999), ("-finished", 9999)]
)
def test_there_are_orders(many: Index, sort: str, first: int) -> None:
    assert many.page(Query(sort=sort, limit=1)).rows[0].uid == f"uid-{first:05d}"


def test_a_page_goes_on_where_its_last_row_was_although_it_is_gone() -> None:
    index = Index()
    for number in range(6):
        index.put(row(number))
    page = index.page(Query(limit=2))
    index.drop(page.rows[-1].namespace, page.rows[-1].uid)
    index.put(row(9))
    assert [each.uid for each in index.page(Query(limit=2, cursor=page.next)).rows] == ["uid-00003", "uid-00002"]


def test_only_what_differs_is_a_change() -> None:
    index = Index()
    index.put(row(1))
    count = index.changes.count
    index.put(row(1))
    index.drop("red", "nobody")
    assert index.changes.count == count
    index.put(row(1, phase=cast("Any", "Cancelled")))
    assert index.changes.count == count + 1


def test_a_cursor_of_another_order_is_refused(many: Index) -> None:
    cursor = many.page(Query(limit=1)).next
    gone = cursor.replace("uid-09999", "uid-nobody")
    with pytest.raises(Usage, match="another order"):
        many.page(Query(sort="name", cursor=gone))
