"""Transaction bodies: coroutines that await nothing but statements, driven here to their end in one go."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Collection, Coroutine, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, NoReturn, TypeVar

from pchat.errors import OurError, StoreError, StoreUnavailable, TookTooLong
from pchat.interfaces import Row, SqlValue, WordsRow
from pchat.store import fts5
from pchat.store.interruption import interrupted_after
from pchat.words import WordQuery

_T = TypeVar("_T")

#: The transaction belongs to the store: a body that ends it would commit half of other people's work.
FORBIDDEN_STATEMENTS = frozenset(
    ["begin", "commit", "end", "rollback", "savepoint", "release", "attach", "detach", "pragma", "vacuum"]
)

#: Primary result codes that tell of the disk, memory or another process, not of the statement:
#: PERM, BUSY, LOCKED, NOMEM, READONLY, INTERRUPT, IOERR, CORRUPT, FULL, CANTOPEN, PROTOCOL, NOTADB.
#: Source: SQLite, "Result and Error Codes", section 3.
UNAVAILABLE_CODES = frozenset({3, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 26})
READONLY, INTERRUPT = 8, 9
#: Seconds that one step of a search in the index of words may take.
WORDS_SECONDS = 2.0
#: A function of standard SQL that SQLite has only since 3.43.
_OCTET_LENGTH = re.compile(r"\boctet_length\((\w+)\)")


class ConstraintError(StoreError):
    """A statement would have broken a unique, reference or check rule; nothing of its body was committed."""


def primary_code(error: sqlite3.Error) -> int:
    """Tell the primary SQLite result code of an error, 1 (a bad statement) when it carries none."""
    return int(getattr(error, "sqlite_errorcode", 1)) & 0xFF


def translated_error(error: sqlite3.Error) -> StoreError | OurError:
    """Turn a driver's error into one of ours.

    Args:
        error: What the driver raised.

    Returns:
        `ConstraintError`, `StoreUnavailable` (disk, memory, locks) or `OurError` (a bad statement).
    """
    if isinstance(error, sqlite3.IntegrityError):
        return ConstraintError(str(error))
    if primary_code(error) == INTERRUPT:
        return TookTooLong(str(error))
    if primary_code(error) in UNAVAILABLE_CODES:
        return StoreUnavailable(f"the store cannot be used: {error}")
    return OurError(f"the store refused a statement: {error}")


def own_error(error: Exception) -> Exception:
    """Turn a driver's error into one of ours, and leave every other as it is."""
    return translated_error(error) if isinstance(error, sqlite3.Error) else error


@lru_cache(maxsize=1024)
def sqlite_sql(sql: str) -> str:
    """Turn ``%s`` into SQLite's ``?``, and ``octet_length`` of a column into what every SQLite has.

    Args:
        sql: One statement of a body.

    Returns:
        The statement as SQLite takes it.

    Raises:
        OurError: It holds a literal ``%``, or it is about the transaction itself.
    """
    converted = sql.replace("%s", "?")
    if "%" in converted:
        raise OurError(f"a literal % in a statement: {sql}")
    words = sql.split(None, 1)
    if not words or words[0].lower().rstrip(";") in FORBIDDEN_STATEMENTS:
        raise OurError(f"not for a transaction body: {sql}")
    return _OCTET_LENGTH.sub(r"length(cast(\1 as blob))", converted)


class DirectTransaction:
    """An `pchat.interfaces.ITransaction` whose statements have run when they are awaited.

    Args:
        connection: A connection inside a transaction that the store began.
        read_only: Whether writing is a bug of the body.
    """

    __slots__ = ("_connection", "_over", "_read_only")

    def __init__(self, connection: sqlite3.Connection, *, read_only: bool = False) -> None:
        self._connection = connection
        self._read_only = read_only
        self._over: str | None = None

    async def query(self, sql: str, args: Sequence[SqlValue] = ()) -> list[Row]:
        """Run a statement that returns rows."""
        if self._over is not None:
            raise OurError(self._over)
        try:
            return self._connection.execute(sqlite_sql(sql), args).fetchall()
        except sqlite3.Error as error:
            self._failed(error)

    async def run(self, sql: str, args: Sequence[SqlValue] = ()) -> int:
        """Run a statement and return the number of rows it touched."""
        if self._over is not None:
            raise OurError(self._over)
        try:
            return self._connection.execute(sqlite_sql(sql), args).rowcount
        except sqlite3.Error as error:
            self._failed(error)

    async def run_many(self, sql: str, rows: Sequence[Sequence[SqlValue]]) -> None:
        """Run one statement for each row of arguments."""
        if self._over is not None:
            raise OurError(self._over)
        try:
            self._connection.executemany(sqlite_sql(sql), rows)
        except sqlite3.Error as error:
            self._failed(error)

    async def gather(self, columns: Sequence[str], sql: str, args: Sequence[SqlValue] = ()) -> list[Row]:
        """Run a select that returns many rows, and take them all in one step.

        Each row that the driver steps to is a wait for the interpreter's lock; so all come as one text.
        """
        packed = f"select json_group_array(json_array({', '.join(columns)})) from ({sql})"  # noqa: S608 – names
        rows = await self.query(packed, args)
        return [tuple(row) for row in json.loads(rows[0][0])]

    async def index_words(self, rows: Sequence[WordsRow]) -> None:
        """Put the words of messages into the index of words; none of the messages may be there yet."""
        self._directly(fts5.index_words, rows)

    async def unindex_words(self, rows: Sequence[WordsRow]) -> None:
        """Take messages out of the index of words: with exactly the words that they were put in with."""
        self._directly(fts5.unindex_words, rows)

    async def word_hits(
        self,
        words: WordQuery | None,
        authors: Collection[int],
        marked_rooms: Collection[int],
        rows: tuple[int, int],
        where: str,
        args: Sequence[SqlValue],
        *,
        newest_first: bool,
        limit: int,
    ) -> list[Row]:
        """Find messages by the index of words, in the order of their rows, in one step.

        Raises:
            TookTooLong: It was interrupted.
        """
        sought = fts5.expression(words, authors, marked_rooms)
        if sought is None:
            return []
        cased = words is not None and words.cased is not None
        sql, columns = fts5.hits_statement(where, newest_first=newest_first, cased=cased)
        with interrupted_after(WORDS_SECONDS, self._connection):
            return await self.gather(columns, sql, (sought, *rows, *args, limit))

    def finish(self) -> None:
        """Refuse every later statement; a body may have given us away."""
        self._over = "the transaction is over"

    def _directly(self, function: Callable[..., _T], *args: Any) -> _T:
        if self._over is not None:
            raise OurError(self._over)
        try:
            return function(self._connection, *args)
        except sqlite3.Error as error:
            self._failed(error)

    def _failed(self, error: sqlite3.Error) -> NoReturn:
        # SQLite undoes the whole transaction by itself after some errors. A body that goes on
        # regardless would then write outside of any transaction.
        if not self._connection.in_transaction:
            self._over = "the transaction was lost"
        if self._read_only and primary_code(error) == READONLY:
            raise OurError("a body that was asked to read tried to write") from error
        raise translated_error(error) from error


def drive(body: Coroutine[Any, Any, Any]) -> Any:
    """Run a body to its end; on this engine nothing it may await ever suspends.

    Args:
        body: The coroutine of a transaction body.

    Returns:
        What the body returns.

    Raises:
        RuntimeError: The body awaited something else than statements.
    """
    try:
        body.send(None)
    except StopIteration as stop:
        return stop.value
    with suppress(RuntimeError):  # raised when it awaits again while being closed; it is lost either way
        body.close()
    raise RuntimeError("a transaction body may await nothing but its transaction's statements")
