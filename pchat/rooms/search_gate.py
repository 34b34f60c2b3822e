"""Few searches at a time: joins and contexts, which need one quick read each, never queue up behind them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.python.failure import Failure

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
    """Lets searches into the store, in the order they came.

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

    @property
    def waiting(self) -> int:
        """How many searches wait for their turn."""
        return len(self._places.waiting)

    async def run(self, search: Callable[[], Deferred[T]]) -> T:
        """Search as soon as there is a place.

        Args:
            search: Begins the search.

        Returns:
            What it found.

        Raises:
            StoreUnavailable: Too many searches wait, or this one has waited too long.
        """
        if self.waiting >= self._waiting_limit:
            raise StoreUnavailable("too many searches wait")
        turn = self._places.acquire()
        turn.addTimeout(PATIENCE_SECONDS, self._clock, _too_late)
        await turn
        try:
            return await search()
        finally:
            self._places.release()


def _too_late(_: object, seconds: float) -> Failure:
    raise StoreUnavailable(f"a search waited for {seconds:g} seconds")
