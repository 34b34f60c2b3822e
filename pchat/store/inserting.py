"""Many rows in few statements, for SQLite: each statement is a wait for the interpreter's lock."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import lru_cache

from pchat.interfaces import SqlValue

#: Rows of one insert. SQLite takes 32 766 arguments (its limit since 3.32) and at most 500 rows stay well
#: below that; a statement is prepared once for each number of rows and kept by the driver.
ROWS_PER_INSERT = 64


@lru_cache(maxsize=4 * ROWS_PER_INSERT)
def _insert(head: str, width: int, count: int) -> str:
    row = "(" + ",".join("?" * width) + ")"
    return head + ",".join([row] * count)


def insert_rows(connection: sqlite3.Connection, head: str, rows: Sequence[tuple[SqlValue, ...]]) -> None:
    """Insert rows by as few statements as possible.

    Args:
        connection: Inside a transaction.
        head: The statement up to and with ``values``.
        rows: The rows, all of one width.
    """
    for start in range(0, len(rows), ROWS_PER_INSERT):
        part = rows[start : start + ROWS_PER_INSERT]
        connection.execute(_insert(head, len(part[0]), len(part)), [value for row in part for value in row])
