"""Searches on SQLite, with threads and without."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.store.search_contract import SearchContract
from tests.store.test_sqlite import InMemory, Threaded


class InMemorySearch(InMemory, SearchContract, SynchronousTestCase):
    """Searches, in memory."""


class ThreadedSearch(Threaded, SearchContract, SynchronousTestCase):
    """Searches, with threads."""
