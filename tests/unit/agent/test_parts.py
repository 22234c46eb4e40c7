"""What is measured of a big artifact, and the threads that carry it."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlworkflow_steps.agent import parts
from mlworkflow_steps.agent.parallel import in_order

MIB = 1 << 20
DATA = bytes(range(251)) * (70 * MIB // 251 + 1)


@settings(max_examples=12, deadline=None)
@given(
    st.sampled_from([parts.WHOLE + 1, 4 * parts.PART + 12345, 65 * MIB, 68 * MIB]),
    st.sampled_from([MIB, MIB + 7, 3 * MIB - 1, 17 * MIB, 70 * MIB]),
)
def test_the_digests_of_parts_are_those_of_their_bytes(size: int, chunk: int) -> None:
    data = DATA[:size]

    @contextlib.contextmanager
    def opened() -> Iterator[Iterator[bytes]]:
        yield (data[at : at + chunk] for at in range(0, size, chunk))

    whole, measured, digests = parts.measured(opened)
    assert (measured, whole.hexdigest()) == (size, hashlib.sha256(data).hexdigest())
    cut = [data[at : at + parts.PART] for at in range(0, size, parts.PART)]
    assert digests == [f"sha256:{hashlib.sha256(part).hexdigest()}" for part in cut]


@pytest.mark.parametrize("size", [0, 1, parts.PART, parts.WHOLE])
def test_what_goes_in_one_piece_has_no_parts(size: int) -> None:
    @contextlib.contextmanager
    def opened() -> Iterator[Iterator[bytes]]:
        yield iter([DATA[:size]])

    assert parts.measured(opened)[1:] == (size, [])


def test_no_artifact_has_too_many_parts() -> None:
    for size in (1, 10**9, 10**12, 50 * 10**12):
        assert -(-size // parts.part_size(size)) <= parts.MOST_PARTS


def test_results_come_in_order_and_no_more_is_begun_than_may_be() -> None:
    lock, begun, taken = threading.Lock(), [], []

    def work(number: int) -> int:
        with lock:
            begun.append(number)
            assert number < len(taken) + 1 + 4
        return number * number

    for value in in_order(work, 50, 3, 4):
        taken.append(value)
    assert taken == [number * number for number in range(50)]
    assert sorted(begun) == list(range(50))


def test_the_failure_of_the_first_that_failed_is_raised_and_threads_end() -> None:
    def work(number: int) -> int:
        if number >= 5:
            raise ValueError(str(number))
        return number

    before = threading.active_count()
    results = in_order(work, 50, 3, 4)
    with pytest.raises(ValueError, match=r"^5$"):
        list(results)
    assert threading.active_count() == before


def test_who_stops_taking_ends_the_threads() -> None:
    before = threading.active_count()
    results = in_order(lambda number: number, 10**6, 3, 4)
    assert next(results) == 0
    results.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before
