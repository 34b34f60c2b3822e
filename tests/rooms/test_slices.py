"""Very many people are gone through in slices, and others get their turn in between."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pchat.rooms import slices
from pchat.rooms.room import Role
from pchat.rooms.slices import in_slices, no_pause, pause_by
from tests.rooms.rules_support import DOMAIN, OPERATOR, Memory, Rules, result

NAMES = [f"user{number}" for number in range(7)]


class Turns:
    """Pauses that last until the test lets work go on."""

    def __init__(self) -> None:
        self._waiting: list[Deferred[None]] = []

    def pause(self) -> Deferred[None]:
        """Begin a pause."""
        self._waiting.append(Deferred())
        return self._waiting[-1]

    def next(self) -> None:
        """End the pauses that have begun."""
        waiting, self._waiting = self._waiting, []
        for pause in waiting:
            pause.callback(None)


async def cut(length: int, pause: slices.Pause) -> list[list[int]]:
    """Cut numbers into slices."""
    return [list(some) async for some in in_slices(range(length), pause)]


class SliceTests(SynchronousTestCase):
    """Cutting."""

    def setUp(self) -> None:
        self.patch(slices, "SLICE", 2)

    def test_every_thing_once(self) -> None:
        """All slices together are all there is, in order; there is one even of nothing."""
        for length in range(6):
            found = result(cut(length, no_pause))
            self.assertEqual(list(range(length)), [number for some in found for number in some])
            self.assertGreater(len(found), 0)
            self.assertLessEqual(max(map(len, found)), 2)

    def test_a_turn_a_slice(self) -> None:
        """Between two slices everybody else has his turn."""
        turns = Turns()
        cutting = ensureDeferred(cut(5, turns.pause))
        for _ in range(2):
            self.assertNoResult(cutting)
            turns.next()
        self.assertEqual([[0, 1], [2, 3], [4]], self.successResultOf(cutting))

    def test_the_reactor_is_given_its_turn(self) -> None:
        """A pause ends in a later turn, without any time being lost."""
        clock = Clock()
        pause = pause_by(clock)()
        self.assertNoResult(pause)
        clock.advance(0)
        self.successResultOf(pause)


class PausingTests(SynchronousTestCase):
    """Administration of seven people who are looked at two by two."""

    def setUp(self) -> None:
        rules = Rules()
        for name in NAMES:
            rules.user(name)
        result(rules.people.set_policy(OPERATOR, enabled=True))
        result(rules.categories.add_category(OPERATOR, "C", allowed=[DOMAIN], invitations=True))
        result(rules.rooms.add_room(OPERATOR, "Ops", category="C"))
        self.others = Turns()
        self.patch(slices, "SLICE", 2)
        memory = Memory(rules.store, rules.clock, self.others.pause)
        self.rules = rules
        self.administration = memory.administration

    def turns(self, work: Any) -> tuple[int, Any]:
        """Let something go on to its end; tell how many turns others had meanwhile, and what came of it."""
        waiting: Deferred[Any] = ensureDeferred(work)
        found: list[Any] = []
        waiting.addBoth(found.append)
        turns = 0
        while not found:
            self.assertLess(turns, 99, "it has no end")
            self.others.next()
            turns += 1
        return turns, found[0]

    def test_listings(self) -> None:
        """Lists of accounts and of eligible people are what they are without pauses."""
        people, eligible = self.administration.people, self.administration.eligible
        works: tuple[Callable[[], Any], ...] = (
            lambda: people.list_users(text="user"),
            lambda: eligible.list_eligible(category="C", text="user"),
            lambda: eligible.list_eligible(room="Ops"),
        )
        for work in works:
            turns, found = self.turns(work())
            self.assertEqual((3, NAMES), (turns, [user["name"] for user in found]))

    def test_a_domain_becomes_member(self) -> None:
        """Whoever a domain covers is invited, and no longer when it goes; others have turns meanwhile."""
        rooms = self.administration.rooms
        turns, _ = self.turns(rooms.add_role(OPERATOR, "Ops", Role.MEMBER, [DOMAIN]))
        self.assertEqual(3, turns)
        self.assertEqual([(7,)], self.rules.query("select count(*) from invitations"))
        turns, _ = self.turns(rooms.remove_role(OPERATOR, "Ops", Role.MEMBER, [DOMAIN]))
        self.assertEqual(3, turns)
        self.assertEqual([(0,)], self.rules.query("select count(*) from invitations"))

    def test_one_change_after_the_other(self) -> None:
        """What is asked for during a pause is decided on what the first change has made."""
        rooms = self.administration.rooms
        first = ensureDeferred(rooms.add_role(OPERATOR, "Ops", Role.MEMBER, [DOMAIN]))
        second = ensureDeferred(rooms.remove_role(OPERATOR, "Ops", Role.MEMBER, [DOMAIN]))
        self.assertNoResult(first)
        self.assertNoResult(second)
        for _ in range(6):
            self.others.next()
        self.successResultOf(first)
        self.successResultOf(second)
        self.assertEqual([(0,)], self.rules.query("select count(*) from invitations"))
