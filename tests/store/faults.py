"""Connections to SQLite that fail when and how a test says."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

from pchat.store.connection import connect

Fault = Callable[[sqlite3.Connection], None]
"""Called instead of a commit; raises, or commits."""


def failed(code: int, text: str) -> sqlite3.OperationalError:
    """Make an error of the driver with SQLite's primary result code."""
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    return error


def disk_full(connection: sqlite3.Connection) -> None:
    """The commit fails before anything is whole on the disk."""
    raise failed(13, "database or disk is full")


def lost_after(connection: sqlite3.Connection) -> None:
    """The commit happens, and its success is not told."""
    sqlite3.Connection.execute(connection, "commit")
    raise failed(10, "disk I/O error")


def lost_before(connection: sqlite3.Connection) -> None:
    """The commit does not happen, and the error does not tell."""
    raise failed(10, "disk I/O error")


def succeeds(connection: sqlite3.Connection) -> None:
    """Nothing is wrong."""
    sqlite3.Connection.execute(connection, "commit")


class Faults:
    """What goes wrong at the next commits, and the next times that the file is opened."""

    def __init__(self) -> None:
        self.commits: list[Fault] = []
        self.opens = 0
        self.opened = 0

    def connect(self, path: str, busy_seconds: float) -> sqlite3.Connection:
        """Open a connection that obeys."""
        if self.opens > 0:
            self.opens -= 1
            raise failed(14, "unable to open database file")
        self.opened += 1
        faults = self

        class Faulty(sqlite3.Connection):
            def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
                if sql == "commit" and faults.commits:
                    faults.commits.pop(0)(self)
                    return super().execute("select 1")
                return super().execute(sql, *args)

        return connect(path, busy_seconds, Faulty)
