"""Few searches at a time: joins and contexts, which need one quick read each, never queue up behind them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Hashable
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.internet.defer import Deferred, DeferredLock, DeferredSemaphore
from twisted.python.failure import Failure

from pchat.endings import at_the_end
from pchat.errors import StoreUnavailable

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

T = TypeVar("T")

#: One less than the store has readers: the other one is there for whoever is waiting to join.
SEARCHES = 1
#: Searches that may wait; each holds its arguments only. A session asks one at a time.
WAITING_LIMIT = 1_000
#: Seconds a search may wait; by then the client's user has given up.
PATIENCE_SECONDS = 30.0


class SearchGate:
    """Lets searches into the store, in the order they came, and one of each user at a time.

    Args:
        clock: The reactor's time.
        searches: How many may be in the store at a time.
        waiting_limit: How many may wait.
    """

    def __init__(
        self, clock: IReactorTime, searches: int = SEARCHES, waiting_limit: int = WAITING_LIMIT
    ) -> None:
        self._clock = clock
        self._places = DeferredSemaphore(searches)
        self._waiting_limit = waiting_limit
        self._own: dict[Hashable, DeferredLock] = {}
        self._searches: Counter[Hashable] = Counter()

    @property
    def waiting(self) -> int:
        """How many searches wait for their turn."""
        return len(self._places.waiting)

    async def run(self, search: Callable[[], Deferred[T]], who: Hashable = None) -> T:
        """Search as soon as there is a place.

        Args:
            search: Begins the search.
            who: Whose searches wait for each other, so that they take one place in the line; None for a
                search that waits for the line alone.

        Returns:
            What it found.

        Raises:
            StoreUnavailable: Too many searches wait, or this one has waited too long.
        """
        if self.waiting >= self._waiting_limit:
            raise StoreUnavailable("too many searches wait")
        who = object() if who is None else who
        own = self._own.setdefault(who, DeferredLock())
        self._searches[who] += 1
        try:
            return await self._within(own, lambda: self._within(self._places, search))
        finally:
            self._searches[who] -= 1
            if not self._searches[who]:
                del self._searches[who], self._own[who]

    async def _within(self, place: DeferredLock | DeferredSemaphore, work: Callable[[], Awaitable[T]]) -> T:
        await self._patiently(place.acquire())
        with at_the_end(place.release):
            return await work()

    def _patiently(self, turn: Deferred[Any]) -> Deferred[Any]:
        return turn.addTimeout(PATIENCE_SECONDS, self._clock, _too_late)


def _too_late(_: object, seconds: float) -> Failure:
    raise StoreUnavailable(f"a search waited for {seconds:g} seconds")
