"""A reactor's ``callFromThread`` for tests: calls wait until the test runs them."""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

T = TypeVar("T")

#: Seconds after which a test that waits for a thread is stuck, not slow.
STUCK_SECONDS = 30.0


class ThreadPump:
    """Collects what threads ask the reactor's thread to call; the test is that thread."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[tuple[Callable[..., Any], tuple[Any, ...]]] = SimpleQueue()
        #: How many calls came so far.
        self.count = 0

    def callFromThread(self, f: Callable[..., Any], *args: Any) -> None:
        """Take a call, from any thread."""
        self._calls.put((f, args))

    def run_one(self) -> None:
        """Wait for a call and run it.

        Raises:
            AssertionError: None came.
        """
        try:
            function, args = self._calls.get(timeout=STUCK_SECONDS)
        except Empty:
            raise AssertionError("no thread called back") from None
        self.count += 1
        function(*args)

    def result_of(self, deferred: Deferred[T]) -> T:
        """Run calls until a Deferred has fired, and return its result or raise its error."""
        outcome: list[T | Failure] = []
        deferred.addBoth(outcome.append)
        while not outcome:
            self.run_one()
        result = outcome[0]
        if isinstance(result, Failure):
            result.raiseException()
        return result
