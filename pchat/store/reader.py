"""The reading side of an SQLite store: each body sees one moment of the store, and cannot change it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from pchat.errors import StoreUnavailable
from pchat.store.jobs import BodyJob
from pchat.store.transaction import DirectTransaction, drive, own_error


class SnapshotReader:
    """Runs bodies that read.

    Args:
        connection: Gives the connection to use; called for each body.
        give_up: Called after an error of the connection itself; the next body gets a new one.
        shared: Whether the connection serves the writer as well.
    """

    def __init__(
        self,
        connection: Callable[[], sqlite3.Connection],
        give_up: Callable[[], None],
        *,
        shared: bool = False,
    ) -> None:
        self._connection = connection
        self._give_up = give_up
        self._shared = shared

    def run(self, job: BodyJob) -> None:
        """Run a body and settle its job."""
        try:
            connection = self._connection()
            if self._shared:
                connection.execute("pragma query_only = on")
            connection.execute("begin")
            txn = DirectTransaction(connection, read_only=True)
            try:
                job.result = drive(job.body(txn, *job.args))
            finally:
                txn.finish()
                if connection.in_transaction:
                    connection.execute("rollback")
                if self._shared:
                    connection.execute("pragma query_only = off")
        except Exception as error:
            mapped = own_error(error)
            if isinstance(mapped, StoreUnavailable):
                self._give_up()
            job.error = mapped
        job.settled = True


class ReaderConnection:
    """A connection that is opened when it is needed.

    Args:
        open_connection: Opens it.
    """

    def __init__(self, open_connection: Callable[[], sqlite3.Connection]) -> None:
        self._open = open_connection
        self._connection: sqlite3.Connection | None = None

    def get(self) -> sqlite3.Connection:
        """Give the connection.

        Raises:
            sqlite3.Error: It cannot be opened.
        """
        if self._connection is None:
            self._connection = self._open()
            self._connection.execute("pragma query_only = on")
        return self._connection

    def close(self) -> None:
        """Close it; the next `get` opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
