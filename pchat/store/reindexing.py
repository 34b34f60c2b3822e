"""The index of words is made, or made anew, when a store has none or one that was cut in another way.

It is done before the store opens, in transactions of some thousand messages each; a server that is stopped
meanwhile goes on where it was.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from twisted.logger import Logger

from pchat.store import fts5
from pchat.store.indexing import Indexed, words_row
from pchat.words import WORDS_VERSION

#: Messages of one transaction, and of how many the log tells the progress.
_AT_ONCE, _TOLD_EVERY = 5_000, 250_000

_log = Logger()


def make_words(connection: sqlite3.Connection) -> None:
    """Bring the index of words to the version of this program.

    Args:
        connection: In autocommit mode, the only writer.

    Raises:
        sqlite3.Error: What was done before is kept.
    """
    version, made = connection.execute("select words_version, words_made from store_info").fetchone()
    if version == WORDS_VERSION and made is None:
        return
    if version != WORDS_VERSION:
        _begin(connection)
        made = 0
    count = connection.execute("select count(*) from messages where row_id > ?", (made,)).fetchone()[0]
    if count:
        _log.info("indexing the words of {count} messages; the store opens after it", count=count)
    done = 0
    while (some := _make_some(connection, made)) is not None:
        made, number = some
        if (done + number) // _TOLD_EVERY > done // _TOLD_EVERY:
            _log.info("indexed the words of {done} of {count} messages", done=done + number, count=count)
        done += number
    connection.execute(
        "update store_info set clock_back = max(clock_back, coalesce((select max(latest - ts) from "
        "(select ts, max(ts) over (order by row_id) as latest from messages)), 0))"
    )
    if count:
        _log.info("the words of all messages are indexed")


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("begin immediate")
    try:
        yield
        connection.execute("commit")
    except BaseException:
        if connection.in_transaction:
            connection.execute("rollback")
        raise


def _begin(connection: sqlite3.Connection) -> None:
    with _transaction(connection):
        connection.execute("insert into message_words (message_words) values ('delete-all')")
        connection.execute("update store_info set words_version = ?, words_made = 0", (WORDS_VERSION,))


def _make_some(connection: sqlite3.Connection, made: int) -> tuple[int, int] | None:
    """Index the next messages; tell up to which row, and how many, or None once nothing was left."""
    with _transaction(connection):
        rows = connection.execute(
            f"select {', '.join(Indexed._fields)} from messages where row_id > ? "  # noqa: S608 – names
            "order by row_id limit ?",
            (made, _AT_ONCE),
        ).fetchall()
        fts5.index_words(connection, [words_row(Indexed._make(row)) for row in rows])
        upto = rows[-1][0] if rows else None
        connection.execute("update store_info set words_made = ?", (upto,))
    return None if upto is None else (upto, len(rows))
