"""The writing side of an SQLite store: many jobs to one commit. It knows no threads; `sqlite` brings them."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from pchat.errors import StoreUnavailable
from pchat.store.bulk import append_all
from pchat.store.connection import Connect
from pchat.store.jobs import AppendJob, BodyJob, Job, Piece, pieces
from pchat.store.lock import open_private
from pchat.store.messages import Appended
from pchat.store.reindexing import make_words
from pchat.store.schema import StoreVersion, check_domain, find_steps, keep_domain, upgrade_sqlite
from pchat.store.transaction import DirectTransaction, drive, own_error, primary_code, translated_error
from pchat.ticks import from_unix

#: A commit that failed with one of these was surely undone: BUSY and LOCKED are told before anything is
#: written, FULL before the last page of the commit is whole. After any other error the write-ahead log may
#: hold a whole commit, which a restart would find.
#: Source: SQLite, "Result and Error Codes"; "WAL-mode File Format" section 1.
SURELY_UNDONE = frozenset({5, 6, 13})

_ENTER = (
    "insert into servers (name, run_id, started_at, last_alive, records_events) values (?, '', ?, ?, ?) "
    "on conflict (name) do update set records_events = excluded.records_events returning server_id"
)
_COUNT_COMMIT = "update servers set commits = commits + 1 where server_id = ? returning commits"
_SETTLE = "update servers set settlements = settlements + 1 where server_id = ? returning commits"


class TransactionLostError(StoreUnavailable):
    """SQLite undid the whole transaction by itself."""


class GroupWriter:
    """The one connection that writes.

    Args:
        path: File, or ``:memory:``.
        clock: Tells the time of messages.
        server_name: Name of our row in ``servers``.
        domain: The SIP domain that the store must belong to; None does not ask.
        record_events: Whether compliance events are written.
        busy_seconds: How long to wait for another process's lock.
        connect: Opens a connection.
    """

    log = Logger()

    def __init__(
        self,
        path: str,
        *,
        clock: IReactorTime,
        server_name: str,
        domain: str | None,
        record_events: bool,
        busy_seconds: float,
        connect: Connect,
    ) -> None:
        self._path = path
        self._clock = clock
        self._server_name = server_name
        self._domain = None if domain is None else domain.lower()
        self._record_events = record_events
        self._busy_seconds = busy_seconds
        self._connect = connect
        self._connection: sqlite3.Connection | None = None
        self._counter = 0
        self.server_id = 0
        self.version = StoreVersion(0, 0)
        self.commits = 0
        self.messages = 0

    def open(self) -> None:
        """Open the store, bring its schema up to date and enter our row.

        Raises:
            OperatorError: The store is too new, no chat store, of another domain, or not accessible.
            StoreUnavailable: The disk or another process is in the way.
        """
        if self._path != ":memory:":
            # SQLite gives its log and index files the mode of the database file.
            os.close(open_private(Path(self._path)))
        try:
            connection = self.usable_connection()
            if self._domain is not None:
                check_domain(connection, self._domain)
            self.version = upgrade_sqlite(connection, find_steps("sqlite"))
            if self._domain is not None:
                keep_domain(connection, self._domain)
            make_words(connection)
            now = from_unix(self._clock.seconds())
            row = (self._server_name, now, now, self._record_events)
            self.server_id = connection.execute(_ENTER, row).fetchall()[0][0]
        except sqlite3.Error as error:
            self.close()
            raise translated_error(error) from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection; what is not committed is undone."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except sqlite3.Error:
                self.log.failure("the store did not close well")

    def usable_connection(self) -> sqlite3.Connection:
        """Give the connection, opened anew if it was given up.

        Raises:
            sqlite3.Error: It cannot be opened.
        """
        if self._connection is None:
            self._connection = self._connect(self._path, self._busy_seconds)
        return self._connection

    def run(self, jobs: Sequence[Job]) -> bool:
        """Run jobs in their order and commit them together.

        Args:
            jobs: Jobs that nobody has run yet.

        Returns:
            True when every job is settled; False when the commit is in doubt and `settle` must be called.
        """
        try:
            self._begin()
            for number, piece in enumerate(pieces(jobs)):
                self._run_piece(piece, first=number == 0)
        except (sqlite3.Error, TransactionLostError) as error:
            self._abandon(jobs, error)
            return True
        except BaseException as error:
            self._abandon(jobs, error)
            raise
        if all(job.settled for job in jobs):
            self._give_up_transaction()
            return True
        return self._commit(jobs)

    def settle(self, jobs: Sequence[Job]) -> bool:
        """Find out whether the commit that is in doubt happened, and make that final.

        Reading is not enough: a commit that failed may lie whole in the write-ahead log, unseen by all,
        and come to light when the log is recovered after a crash. A commit of ours, after it was seen to be
        missing, overwrites it.

        Args:
            jobs: Those of the doubtful commit.

        Returns:
            True when every job is settled; False when the store still cannot be used.
        """
        self.close()
        try:
            connection = self.usable_connection()
            connection.execute("begin immediate")
            counter: int = connection.execute(_SETTLE, (self.server_id,)).fetchall()[0][0]
            connection.execute("commit")
        except sqlite3.Error as error:
            self.close()
            self.log.warn("the outcome of a commit is still in doubt: {error}", error=str(error))
            return False
        happened = counter == self._counter
        self.log.warn("the commit in doubt happened: {happened}", happened=happened)
        if happened:
            self._committed(jobs)
        else:
            self._refuse_all(jobs, StoreUnavailable("the commit did not happen"))
        return True

    def _begin(self) -> None:
        connection = self.usable_connection()
        connection.execute("begin immediate")
        self._counter = connection.execute(_COUNT_COMMIT, (self.server_id,)).fetchall()[0][0]

    def _run_piece(self, piece: Piece, *, first: bool) -> None:
        """Run one piece, and undo only that piece if it fails.

        The first needs no savepoint: the transaction is begun anew instead.
        """
        connection = self.usable_connection()
        if not first:
            connection.execute("savepoint piece")
        try:
            if isinstance(piece, BodyJob):
                self._run_body(connection, piece)
            else:
                self._run_bulk(connection, piece)
        except Exception as error:
            self._undo_piece(connection, error, first=first)
            self._piece_failed(piece, error)
        else:
            if not first:
                connection.execute("release piece")

    def _run_body(self, connection: sqlite3.Connection, job: BodyJob) -> None:
        txn = DirectTransaction(connection)
        try:
            job.result = drive(job.body(txn, *job.args))
        finally:
            txn.finish()
        if not connection.in_transaction:  # the body swallowed the error that says so
            raise TransactionLostError("the transaction was lost")

    def _run_bulk(self, connection: sqlite3.Connection, bulk: list[AppendJob]) -> None:
        messages = [message for job in bulk for message in job.messages]
        outcomes = append_all(connection, self.server_id, from_unix(self._clock.seconds()), messages)
        start = 0
        for job in bulk:
            end = start + len(job.messages)
            job.result = outcomes[start:end]
            start = end

    def _undo_piece(self, connection: sqlite3.Connection, error: Exception, *, first: bool) -> None:
        if not connection.in_transaction and not first:
            raise TransactionLostError(str(error)) from error
        if not first:
            connection.execute("rollback to piece")
            connection.execute("release piece")
            return
        self._give_up_transaction()
        self._begin()

    def _piece_failed(self, piece: Piece, error: Exception) -> None:
        if isinstance(piece, BodyJob):
            piece.refuse(own_error(error))
        elif len(piece) == 1:
            piece[0].refuse(own_error(error))
        else:
            # One bad message must not take the others with it: each call for itself.
            for job in piece:
                self._run_piece([job], first=False)

    def _commit(self, jobs: Sequence[Job]) -> bool:
        try:
            self.usable_connection().execute("commit")
        except sqlite3.Error as error:
            if primary_code(error) not in SURELY_UNDONE:
                self.log.warn("a commit is in doubt: {error}", error=str(error))
                return False
            self._abandon(jobs, error)
            return True
        self._committed(jobs)
        return True

    def _committed(self, jobs: Sequence[Job]) -> None:
        self.commits += 1
        for job in jobs:
            if not job.settled:
                job.settled = True
                if isinstance(job, AppendJob):
                    self.messages += sum(type(outcome) is Appended for outcome in job.result)

    def _abandon(self, jobs: Sequence[Job], error: BaseException) -> None:
        """Undo everything and say so; nothing was committed."""
        self._give_up_transaction()
        self.log.error("nothing was committed: {error}", error=str(error))
        self._refuse_all(jobs, StoreUnavailable(f"nothing was committed: {error}"))

    def _give_up_transaction(self) -> None:
        """Roll back; a connection that cannot even do that is closed, which undoes it as well."""
        connection = self._connection
        try:
            if connection is not None and connection.in_transaction:
                connection.execute("rollback")
        except sqlite3.Error:
            self.close()

    def _refuse_all(self, jobs: Sequence[Job], error: Exception) -> None:
        for job in jobs:
            if not job.settled:
                job.refuse(error)
