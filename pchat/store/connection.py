"""How a connection to an SQLite store is opened."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

#: Prepared statements that the driver keeps: those of the bodies, and for bulks one a number of rows, twice.
CACHED_STATEMENTS = 512
#: Bytes; the write-ahead log is cut back to this after a checkpoint.
LOG_SIZE_LIMIT = 64 * 1024 * 1024

Connect = Callable[[str, float], sqlite3.Connection]
"""``connect(path, busy_seconds)``; tests give one whose connections fail."""


def connect(
    path: str, busy_seconds: float, factory: type[sqlite3.Connection] = sqlite3.Connection
) -> sqlite3.Connection:
    """Open a connection in autocommit mode, durable and with foreign keys on.

    Args:
        path: File, or ``:memory:``.
        busy_seconds: How long to wait for another process's lock.
        factory: Class of the connection.

    Raises:
        sqlite3.Error: The file cannot be opened, or is no database.
    """
    connection = sqlite3.connect(
        path,
        timeout=busy_seconds,
        isolation_level=None,
        check_same_thread=False,  # one thread at a time; who closes may be another
        cached_statements=CACHED_STATEMENTS,
        factory=factory,
    )
    try:
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = full")
        connection.execute("pragma foreign_keys = on")
        connection.execute(f"pragma journal_size_limit = {LOG_SIZE_LIMIT}")
    except BaseException:
        connection.close()
        raise
    return connection
