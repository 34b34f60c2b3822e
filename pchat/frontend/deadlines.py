"""Many deadlines on one timer: registrations, timed publications, subscriptions."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Generic, TypeVar

from twisted.internet.interfaces import IDelayedCall, IReactorTime

K = TypeVar("K", bound=Hashable)

#: Deadlines closer together than this, in seconds, are met in one turn.
GRANULARITY = 1.0
#: Deadlines met in one reactor turn; the rest get the next one, so that traffic is not held up.
BATCH = 200
#: Seconds: a reactor cannot wait much longer than this in one go, and an empty turn costs nothing.
LONGEST_SLEEP = 3600.0
#: Entries of the heap that may be out of date before it is built anew.
SLACK = 256


class Deadlines(Generic[K]):
    """Call `due` once for each key when its time has come, never early and at most a second late.

    Args:
        clock: Tells the time and runs the one timer.
        due: Called with the key; the key is forgotten before.
    """

    def __init__(self, clock: IReactorTime, due: Callable[[K], None]) -> None:
        self._clock = clock
        self._due = due
        self._times: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._order = count()
        self._timer: IDelayedCall | None = None
        self._timer_at = 0.0

    def __len__(self) -> int:
        return len(self._times)

    def set(self, key: K, at: float) -> None:
        """Set or move the deadline of a key.

        Args:
            key: What is due.
            at: Time by the clock, in seconds.
        """
        self._times[key] = at
        if len(self._heap) > 2 * len(self._times) + SLACK:
            self._heap = [(when, next(self._order), other) for other, when in self._times.items()]
            heapify(self._heap)
        else:
            heappush(self._heap, (at, next(self._order), key))
        self._arm()

    def cancel(self, key: K) -> None:
        """Forget a key; a key that has no deadline is fine."""
        self._times.pop(key, None)

    def stop(self) -> None:
        """Forget everything and stop the timer."""
        self._times.clear()
        self._heap.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, soonest: float = GRANULARITY) -> None:
        """Let the timer run for the earliest entry; an entry that is out of date costs one empty turn."""
        if not self._heap:
            return
        now = self._clock.seconds()
        at = min(max(self._heap[0][0], now + soonest), now + LONGEST_SLEEP)
        if self._timer is not None:
            if self._timer_at <= at:
                return
            self._timer.cancel()
        self._timer_at = at
        self._timer = self._clock.callLater(max(0.0, at - now), self._run)

    def _run(self) -> None:
        self._timer = None
        now = self._clock.seconds()
        ready: list[K] = []
        while self._heap and self._heap[0][0] <= now and len(ready) < BATCH:
            at, _, key = heappop(self._heap)
            if self._times.get(key) == at:
                del self._times[key]
                ready.append(key)
        self._arm(0.0 if len(ready) == BATCH else GRANULARITY)
        for key in ready:
            self._due(key)
