"""Rendezvous hashing: even, the same for everybody, and still where nothing has changed."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlworkflow.kube.members.rendezvous import owner

KEYS = [f"uid-{number}" for number in range(3000)]


def names(count: int) -> list[str]:
    return [f"mlworkflow-{number}" for number in range(count)]


@pytest.mark.parametrize("count", [2, 3, 5])
def test_each_member_has_its_even_share(count: int) -> None:
    shares = Counter(owner(key, names(count)) for key in KEYS)
    assert len(shares) == count
    assert all(abs(share - len(KEYS) / count) < 4 * (len(KEYS) / count) ** 0.5 for share in shares.values())


def test_only_the_keys_of_who_has_left_move_and_they_are_spread_over_all() -> None:
    before, after = names(4), names(3)
    moved = [(key, owner(key, after)) for key in KEYS if owner(key, before) != owner(key, after)]
    assert {key for key, _ in moved} == {key for key in KEYS if owner(key, before) == "mlworkflow-3"}
    assert {member for _, member in moved} == set(after)


@given(st.text(), st.sets(st.text(), max_size=6))
def test_the_order_of_the_members_makes_no_difference(key: str, members: set[str]) -> None:
    assert owner(key, sorted(members)) == owner(key, sorted(members, reverse=True))
    assert (owner(key, members) is None) == (not members)


def test_it_is_the_same_in_every_version() -> None:
    """Two versions run side by side during an upgrade."""
    assert "".join(str(owner(key, names(3)))[-1] for key in KEYS[:12]) == "011220212120"
