"""The index of words on SQLite: a contentless FTS5 table that neither cuts nor folds by itself.

Its tokenizer parts words at blanks and takes the ``@`` and ``#`` of marks for letters; all else that
`pchat.words.cut` leaves is one token to it.

Source: SQLite, "FTS5 Extension" sections 3 (query syntax) and 4.4 (contentless tables).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence

from pchat.interfaces import WordsRow
from pchat.store.indexing import author_mark, room_mark
from pchat.store.inserting import insert_rows
from pchat.words import Term, WordQuery

_INTO = "insert into message_words (rowid, words, extras) values "
_OUT_OF = "insert into message_words (message_words, rowid, words, extras) values "


def index_words(connection: sqlite3.Connection, rows: Sequence[WordsRow]) -> None:
    """Put messages into the index.

    Args:
        connection: Inside a transaction.
        rows: The messages. FTS5 writes a piece of index each time a row number is lower than the one
            before, so they are taken in order.
    """
    insert_rows(connection, _INTO, sorted(rows))


def unindex_words(connection: sqlite3.Connection, rows: Sequence[WordsRow]) -> None:
    """Take messages out of the index, with the words that they were put in with."""
    insert_rows(connection, _OUT_OF, [("delete", *row) for row in sorted(rows)])


def hits_statement(where: str, *, newest_first: bool, cased: bool) -> tuple[str, list[str]]:
    """Write the select for `pchat.interfaces.ITransaction.word_hits`, with ``%s`` for its arguments.

    Returns:
        The select, whose arguments are the expression, the first and the last row, those of ``where`` and the
        limit; and its columns.
    """
    order = "desc" if newest_first else "asc"
    columns = ["row_id", "room_id", "chat_id", "ts", *(["chat"] if cased else [])]
    sql = (
        f"select {', '.join(f'm.{column} as {column}' for column in columns)} "  # noqa: S608 – constants
        "from message_words w cross join messages m "
        "where w.message_words match %s and w.rowid between %s and %s and m.row_id = w.rowid "
        f"{where} order by w.rowid {order} limit %s"
    )
    return sql, columns


def expression(words: WordQuery | None, authors: Collection[int], rooms: Collection[int]) -> str | None:
    """Write a query in the language of FTS5; None for one that finds nothing."""
    parts: list[str] = []
    if words is not None:
        if not words.terms:
            return None
        parts.append((" OR " if words.any_term else " AND ").join(map(_term, words.terms)))
    for marks in (sorted(map(author_mark, authors)), sorted(map(room_mark, rooms))):
        if marks:
            parts.append("extras : (" + " OR ".join(f'"{mark}"' for mark in marks) + ")")
    return " AND ".join(f"({part})" for part in parts) or None


def _term(term: Term) -> str:
    phrase = '"' + " ".join(term.words) + '"' + (" *" if term.prefix else "")
    if term.prefix and len(term.words) == 1 and not term.after:
        return phrase  # in either column: extras hold single characters only
    phrase = f"words : {phrase}"
    return f'(extras : "{term.after}" AND {phrase})' if term.after else phrase
