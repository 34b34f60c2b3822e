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


class RoomByRoom(InMemory, SearchTruthContract, SynchronousTestCase):
    """Random searches that are too common to be looked for in all rooms together, in the smallest steps."""

    def setUp(self) -> None:
        super().setUp()
        for name, value in (("SWEEP", 0), ("FIRST_STEP", 1), ("LAST_STEP", 2), ("ROOMS_AT_ONCE", 1)):
            self.patch(search, name, value)
