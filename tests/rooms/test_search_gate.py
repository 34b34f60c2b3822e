"""Searches wait for each other, not joins for searches; and nobody waits for ever."""

from __future__ import annotations

import gc

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from pchat.errors import StoreUnavailable
from pchat.rooms.search_gate import PATIENCE_SECONDS, SEARCHES, SearchGate
from pchat.store.sqlite import READER_COUNT


class GateTests(SynchronousTestCase):
    """A gate with one place."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.gate = SearchGate(self.clock, searches=1, waiting_limit=3)
        self.begun: list[Deferred[str]] = []

    def ask(self) -> Deferred[str]:
        """Ask for a search."""
        return ensureDeferred(self.gate.run(self._begin))

    def _begin(self) -> Deferred[str]:
        self.begun.append(Deferred())
        return self.begun[-1]

    def test_in_turn(self) -> None:
        """One after the other, in the order they came."""
        asked = [self.ask() for _ in range(3)]
        self.assertEqual((1, 2), (len(self.begun), self.gate.waiting))
        self.begun[0].callback("first")
        self.assertEqual("first", self.successResultOf(asked[0]))
        self.assertEqual(2, len(self.begun))
        self.begun[1].callback("second")
        self.begun[2].callback("third")
        self.assertEqual(
            ["second", "third"], [self.successResultOf(asked[1]), self.successResultOf(asked[2])]
        )
        self.assertEqual(0, self.gate.waiting)

    def test_a_search_that_fails(self) -> None:
        """Its place is free again."""
        first, second = self.ask(), self.ask()
        self.begun[0].errback(Failure(ZeroDivisionError()))
        self.failureResultOf(first, ZeroDivisionError)
        self.begun[1].callback("found")
        self.assertEqual("found", self.successResultOf(second))

    def test_a_search_that_cannot_begin(self) -> None:
        """So it is if the search does not even begin."""

        def broken() -> Deferred[str]:
            raise ZeroDivisionError

        self.failureResultOf(ensureDeferred(self.gate.run(broken)), ZeroDivisionError)
        self.ask()
        self.assertEqual(1, len(self.begun))

    def test_too_many(self) -> None:
        """What cannot wait is refused at once."""
        for _ in range(4):
            self.ask()
        self.failureResultOf(self.ask(), StoreUnavailable)
        self.assertEqual(3, self.gate.waiting)

    def test_too_long(self) -> None:
        """Who waited too long is told so, and his search never begins; nobody loses his place by it."""
        first, second = self.ask(), self.ask()
        self.clock.advance(PATIENCE_SECONDS)
        self.failureResultOf(second, StoreUnavailable)
        third = self.ask()
        self.begun[0].callback("first")
        self.assertEqual("first", self.successResultOf(first))
        self.assertEqual(2, len(self.begun))
        self.begun[1].callback("third")
        self.assertEqual("third", self.successResultOf(third))
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_a_reader_is_left(self) -> None:
        """However many search, one reader of the store is there for joins."""
        self.assertLess(SEARCHES, READER_COUNT)


class AbandonedTests(SynchronousTestCase):
    """A server that is thrown away with searches under way, as tests do."""

    def test_nobody_is_let_in(self) -> None:
        """Searches that are collected unfinished let nobody else in, and nothing is said about it."""
        begun = 0

        def begin() -> Deferred[str]:
            nonlocal begun
            begun += 1
            return Deferred()

        gate = SearchGate(Clock(), searches=1)
        asked = [ensureDeferred(gate.run(begin, who)) for who in ("alice", "alice", "bob", None)]
        self.assertEqual((4, 1), (len(asked), begun))
        del gate, asked
        gc.collect()
        self.assertEqual(1, begun)
        self.assertEqual(self.flushLoggedErrors(), [])
