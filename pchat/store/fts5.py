"""The index of words on SQLite: a contentless FTS5 table that neither cuts nor folds by itself.

Its tokenizer parts words at blanks and takes the ``@`` of author marks for a letter; all else that
`pchat.words.cut` leaves is one token to it.

Source: SQLite, "FTS5 Extension" sections 3 (query syntax) and 4.4 (contentless tables).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Sequence

from pchat.interfaces import WordsRow
from pchat.store.indexing import author_mark
from pchat.store.inserting import insert_rows
from pchat.words import Term, WordQuery

#: Ranges of one statement; each takes three arguments.
RANGES_AT_ONCE = 500

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


def word_hits(
    connection: sqlite3.Connection,
    words: WordQuery | None,
    authors: Collection[int],
    ranges: Sequence[tuple[int, int]],
    *,
    newest_first: bool,
    limit: int,
) -> list[list[int]]:
    """Find messages, as `pchat.interfaces.ITransaction.word_hits` says.

    All hits of a statement come as one row: the reading thread waits for the interpreter's lock after each.
    """
    sought = expression(words, authors)
    if sought is None:
        return [[] for _ in ranges]
    order = "desc" if newest_first else "asc"
    found: list[list[int]] = []
    for start in range(0, len(ranges), RANGES_AT_ONCE):
        part = ranges[start : start + RANGES_AT_ONCE]
        numbered = ",".join("(?,?,?)" for _ in part)
        sql = (
            f"with span (number, first, last) as (values {numbered}) "  # noqa: S608 – marks and a constant
            "select json_group_array(json_array(number, (select json_group_array(hit) from ("
            "select rowid as hit from message_words where message_words match ? "
            f"and rowid between span.first and span.last order by rowid {order} limit ?)))) from span"
        )
        args = [value for number, span in enumerate(part) for value in (number, *span)]
        rows = json.loads(connection.execute(sql, [*args, sought, limit]).fetchall()[0][0])
        found += [hits for _, hits in sorted(rows)]
    return found


def expression(words: WordQuery | None, authors: Collection[int]) -> str | None:
    """Write a query in the language of FTS5; None for one that finds nothing."""
    parts: list[str] = []
    if words is not None:
        if not words.terms:
            return None
        parts.append((" OR " if words.any_term else " AND ").join(map(_term, words.terms)))
    if authors:
        parts.append(
            "extras : (" + " OR ".join(f'"{author_mark(author)}"' for author in sorted(authors)) + ")"
        )
    return " AND ".join(f"({part})" for part in parts) or None


def _term(term: Term) -> str:
    phrase = '"' + " ".join(term.words) + '"' + (" *" if term.prefix else "")
    if term.prefix and len(term.words) == 1 and not term.after:
        return phrase  # in either column: extras hold single characters only
    phrase = f"words : {phrase}"
    return f'(extras : "{term.after}" AND {phrase})' if term.after else phrase
