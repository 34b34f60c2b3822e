"""Groups on SQLite."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.store.groups_contract import GroupsContract
from tests.store.test_sqlite import InMemory, Threaded


class InMemoryGroups(InMemory, GroupsContract, SynchronousTestCase):
    """Groups, in memory."""


class ThreadedGroups(Threaded, GroupsContract, SynchronousTestCase):
    """Groups, with threads."""
