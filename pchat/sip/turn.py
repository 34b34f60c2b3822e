"""One write a connection a reactor turn: what is sent in between is gathered.

A TLS write costs far more than its bytes, so everything that one turn of the reactor produces for
a connection leaves together.

Source: docs/performance.md.
"""

from __future__ import annotations

from typing import Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

log = Logger()


class Flushable(Protocol):
    """Something with gathered bytes."""

    def flush(self) -> None:
        """Write what was gathered."""


class Turn:
    """The set of connections that have something to write at the end of this reactor turn."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._dirty: list[Flushable] = []

    def add(self, connection: Flushable) -> None:
        """Flush a connection at the end of the turn; call it once a connection and turn."""
        if not self._dirty:
            self._clock.callLater(0, self._flush)
        self._dirty.append(connection)

    def _flush(self) -> None:
        dirty, self._dirty = self._dirty, []
        for connection in dirty:
            try:
                connection.flush()
            except Exception:
                # The others would never be flushed again.
                log.failure("what was gathered could not be written")
