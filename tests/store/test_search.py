"""Searches on SQLite, with threads and without."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pchat.store import search
from tests.store.search_contract import SearchContract, SearchTruthContract
from tests.store.test_sqlite import InMemory, Threaded


class InMemorySearch(InMemory, SearchContract, SynchronousTestCase):
    """Searches, in memory."""


class ThreadedSearch(Threaded, SearchContract, SynchronousTestCase):
    """Searches, with threads."""


class InMemoryTruth(InMemory, SearchTruthContract, SynchronousTestCase):
    """Random searches, in memory."""


class QuietRooms(InMemory, SearchTruthContract, SynchronousTestCase):
    """Random searches in rooms that are looked for by themselves."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(search, "QUIET", 0)


class LoudRooms(InMemory, SearchTruthContract, SynchronousTestCase):
    """Random searches among the messages of all rooms, in the smallest steps."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(search, "QUIET", 1_000_000)
        self.patch(search, "STEP", 1)
        self.patch(search, "MESSAGES_AT_ONCE", 2)
