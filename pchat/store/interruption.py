"""Statements that take too long are interrupted: what a search may cost cannot be told from its words.

A phrase of common words that never follow each other makes the engine go through all messages that hold
them; and a search may have many such phrases.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interrupted_after(seconds: float, connection: sqlite3.Connection) -> Iterator[None]:
    """Let a connection work for so long; then its statement fails with the code INTERRUPT.

    A timer in a thread of its own costs a search next to nothing; a progress handler would ask for the
    interpreter's lock all the time.

    Args:
        seconds: For how long.
        connection: Used by this thread alone.
    """
    lock = threading.Lock()
    at_work = True

    def interrupt() -> None:
        with lock:
            if at_work:
                connection.interrupt()

    timer = threading.Timer(seconds, interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        # Whatever the connection does next is not what was to be interrupted.
        with lock:
            at_work = False
