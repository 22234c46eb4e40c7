"""Who is a member, and what is mine: the state of one member, moved by what it has written and read. Pure: no clock, no I/O.

Each member has a Lease, which it renews, and which says by which *view* (a set of members) it acts: it *claims* what rendezvous hashing over its view
gives it. The invariant is that nothing is ever owned by two members at once. It rests on two rules:

* Among members that are alive it is Dekker's: a member owns what it claims in every view that its Lease may have now, once it has read all Leases
  after it wrote that claim, and found none that claims the same. Of two that claim the same, one reads the other's claim, whatever is late. A claim
  is given up before the view is written that is without it. No clock is compared.
* A member that is not heard of is taken for dead only when its Lease has not changed for `duration` by the reader's clock, and owns nothing from
  `deadline` after the beginning of its last renewal by its own clock. As `deadline` < `duration`, it has stopped before others take over, unless one
  clock runs faster than the other by their ratio.

Members whose `scheme` differs assign by other rules, so only the scheme of whoever has been there longest is acted by. Caller: `member.Member`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from mlworkflow.kube.members.rendezvous import owner


@dataclass(frozen=True, slots=True)
class Terms:
    """Seconds: between two renewals; after which a member that could not renew stops; after which others take it for dead."""

    every: float = 1.5
    deadline: float = 4.0
    duration: float = 6.0


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a member's Lease says: `version` is another after each renewal, `since` orders the members by when they came; whoever has left is not
    `here`."""

    name: str
    version: str
    scheme: str
    since: str
    view: frozenset[str]
    address: str = ""
    is_here: bool = True

    def claims(self, key: str, scheme: str) -> bool:
        """Whether this member may act for `key`, which is of `scheme`: by another scheme it may be anything."""
        return self.name in self.view if self.scheme != scheme else owner(key, self.view) == self.name


NOBODY: frozenset[str] = frozenset()


class Membership:
    """Of the member `name`. In turn: `begin`, then `renewed` if the write came through, then `seen` with a list that was begun after it."""

    def __init__(self, name: str, scheme: str, since: str, terms: Terms = Terms()) -> None:
        self.name, self.scheme, self.since, self.terms = name, scheme, since, terms
        self.view = NOBODY
        """By which this member would like to act, and narrows what it owns to at once."""
        self._acts = NOBODY  # claimed by it, and read all others since
        self._maybe: set[frozenset[str]] = {NOBODY}  # what the Lease may say
        self._writing = NOBODY
        self._renewed = -math.inf
        self._others: dict[str, tuple[Sighting, float]] = {}  # with when it was last news
        self._live: list[Sighting] = []
        self.lapses = 0
        self._is_leaving = False
        self._known: dict[str, bool] = {}  # what follows from `_basis`
        self._basis: object = None

    def begin(self, now: float, *, is_busy: bool) -> frozenset[str]:
        """The view to write with the renewal that begins now. `is_busy`: something is under way for what is not owned any more."""
        self.lapse_if_due(now)
        self._writing = self._acts if is_busy and self._acts else self.view
        self._maybe.add(self._writing)
        self._think_again()
        return self._writing

    def renewed(self, began: float, now: float) -> None:
        """The write that was begun at `began` is known to have come through. Too late for what was held, if others may have taken over by now."""
        self.lapse_if_due(now)
        self._renewed = began
        self._maybe = {self._writing}
        self._think_again()

    def seen(self, sightings: Iterable[Sighting], began: float, now: float) -> None:
        """All Leases, read from `began` until now, after the last write came through. One that has vanished, which nobody does that leaves, counts as
        one that is not renewed."""
        found = {sighting.name: sighting for sighting in sightings if sighting.name != self.name}
        fresh: dict[str, tuple[Sighting, float]] = {}
        for name in {*self._others, *found}:
            known, sighting = self._others.get(name), found.get(name)
            is_news = sighting is not None and (known is None or known[0].version != sighting.version)
            if sighting is not None and is_news:
                fresh[name] = sighting, now
            elif known is not None and (sighting is not None or began - known[1] <= self.terms.duration):
                fresh[name] = known
        self._others = fresh
        self._live = [it for it, news in fresh.values() if it.is_here and began - news <= self.terms.duration]
        self._acts = self._writing
        self.view = self._wanted()
        self._think_again()

    def lapse_if_due(self, now: float) -> None:
        """It could not renew in time: nothing is this member's any more, whatever it held, and `lapses` counts that."""
        if self._acts and now >= self.expires_at:
            self._acts = self.view = NOBODY
            self.lapses += 1
            self._think_again()

    def leave(self) -> None:
        """Nothing more is begun."""
        self._is_leaving, self.view = True, NOBODY
        self._think_again()

    def _think_again(self) -> None:
        """Forget what followed from what was, unless it is the same: a renewal that changes nothing costs nothing for each key."""
        claims = frozenset((it.name, it.scheme, it.view) for it in self._live)
        basis = self._acts, self.view, frozenset(self._maybe), claims
        if basis != self._basis:
            self._basis = basis
            self._known.clear()

    def owns(self, key: str, now: float) -> bool:
        """Whether `key` is this member's at this moment."""
        if now >= self.expires_at:
            return False
        if (known := self._known.get(key)) is None:
            known = self._known[key] = self._owns(key)
        return known

    def _owns(self, key: str) -> bool:
        views = {self._acts, self.view, *self._maybe}
        is_claimed = all(owner(key, view) == self.name for view in views)
        return is_claimed and not any(other.claims(key, self.scheme) for other in self._live)

    def believed(self, key: str) -> str:
        """The address of the member that most likely owns `key`; empty where that is this one or unknown."""
        name = owner(key, [it.name for it in self._live if it.scheme == self.scheme and it.view] + sorted(self._mine()))
        return next((it.address for it in self._live if it.name == name), "")

    def _mine(self) -> frozenset[str]:
        return frozenset([self.name]) if self._acts else NOBODY

    def _wanted(self) -> frozenset[str]:
        eldest = min([(it.since, it.name, it.scheme) for it in self._live] + [(self.since, self.name, self.scheme)])
        if self._is_leaving or eldest[2] != self.scheme:
            return NOBODY
        return frozenset([self.name, *(it.name for it in self._live if it.scheme == self.scheme)])

    @property
    def expires_at(self) -> float:
        """Until when what is owned may be acted for, unless there is another renewal."""
        return self._renewed + self.terms.deadline

    @property
    def is_moving(self) -> bool:
        """Whether another view is to be written."""
        return self.view != self._acts

    @property
    def acts_by(self) -> frozenset[str]:
        """The view that is claimed by."""
        return self._acts

    @property
    def live(self) -> list[Sighting]:
        """The others that are alive."""
        return self._live

    def buried(self, now: float, after: float) -> list[Sighting]:
        """Of whom nothing was heard for so long that their Leases may go."""
        return [it for it, news in self._others.values() if now - news > after]
