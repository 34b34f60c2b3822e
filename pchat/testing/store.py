"""A store for tests that need one but are not about it: SQLite in memory, everything at once."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from twisted.internet.interfaces import IReactorTime

from pchat.errors import OurError
from pchat.store.sqlite import SqliteStore


def counting_random() -> Callable[[int], bytes]:
    """Make a ``random`` that gives other bytes at each call, and the same ones in each test run."""
    numbers = count(1)

    def random(length: int) -> bytes:
        return next(numbers).to_bytes(length, "big")

    return random


def memory_store(clock: IReactorTime, *, record_events: bool = True) -> SqliteStore:
    """Make a started store in memory; every Deferred of it has fired when it is returned.

    Args:
        clock: Tells the time of messages.
        record_events: Whether compliance events are written.
    """
    store = SqliteStore(
        ":memory:",
        clock=clock,
        server_name="test",
        random=counting_random(),
        inline=True,
        record_events=record_events,
    )
    outcome: list[object] = []
    store.start().addBoth(outcome.append)
    if outcome != [None]:
        raise OurError(f"the store in memory did not start: {outcome}")
    return store
