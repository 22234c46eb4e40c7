"""What a log of moves comes to: versions, aliases, and what an alias meant before."""

from __future__ import annotations

from mlworkflow.store.model_log import Model, Move, fold


def digest(number: int) -> str:
    return f"sha256:{number:064x}"


def log(*moves: tuple[str, int] | tuple[str, int, str]) -> Model:
    """A model by the (alias, version) of its moves, those with a third member being rollbacks."""
    made: list[Move] = []
    for number, (alias, version, *rest) in enumerate(moves, start=1):
        before = next((move.version for move in reversed(made) if move.alias == alias), 0)
        made.append(
            Move(
                number=number,
                id=str(number),
                alias=alias,
                version=version,
                digest=digest(version),
                size=1,
                type="file",
                previous=before,
                by=f"user-{number}",
                at=float(number),
                rollback=bool(rest),
            )
        )
    return fold("m", made)


def test_a_version_is_of_the_move_that_first_names_it() -> None:
    model = log(("champion", 1), ("challenger", 2), ("champion", 2))
    assert [(one.number, one.digest, one.added, one.by, one.aliases) for one in model.versions] == [
        (1, digest(1), 1.0, "user-1", []),
        (2, digest(2), 2.0, "user-2", ["challenger", "champion"]),
    ]


def test_an_alias_a_number_and_a_digest_stand_for_a_version() -> None:
    model = log(("champion", 1), ("challenger", 2))
    found = [model.version(text) for text in ("challenger", "2", digest(2), "1", "champion", "3", "nobody", digest(3))]
    assert [one and one.number for one in found] == [2, 2, 2, 1, 1, None, None, None]


def test_what_was_rolled_back_is_not_what_an_alias_meant_before() -> None:
    moves: list[tuple[str, int] | tuple[str, int, str]] = [("a", 1), ("a", 2), ("other", 5), ("a", 3)]
    befores = []
    for step in (("a", 2, "back"), ("a", 1, "back")):
        befores.append(log(*moves).before("a"))
        moves.append(step)
    assert [one and one.number for one in befores] == [2, 1]
    assert log(*moves).before("a") is None
    again = log(*moves, ("a", 4)).before("a")
    assert again is not None
    assert again.number == 1


def test_what_is_expected_of_an_alias() -> None:
    model = log(("champion", 1), ("challenger", 2))
    expectations = ("", "any", "1", digest(1), "2", digest(2), "none", "7")
    assert [one for one in expectations if model.is_as_expected("champion", one)] == ["", "any", "1", digest(1)]
    assert model.is_as_expected("nobody", "none")
    assert not model.is_as_expected("nobody", "1")
