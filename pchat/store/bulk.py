"""Append on SQLite: all messages that wait, in a handful of statements.

The writer's thread takes the interpreter's lock anew after each step of SQLite, and waits for it as long
as the reactor computes. So the number of statements here does not grow with the number of messages.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from pchat.errors import OurError
from pchat.store import fts5
from pchat.store.indexing import Indexed, words_row
from pchat.store.inserting import insert_rows
from pchat.store.messages import Appended, AppendOutcome, NewMessage, Stale

_INTO_MESSAGES = "insert into messages (row_id, room_id, chat_id, ts, author_id, alert, chat, rtf) values "
_INTO_TOPIC_HITS = "insert into topic_hits (principal_id, room_id, chat_id, guids, ts) values "
_INTO_OUTBOX = (
    "insert into outbox (server_id, server_sequence, event_id, kind, time_ticks, room_id, room_uri, "
    "room_name, user_id, user_uri, user_name, user_email, chat_id, text, detail) values "
)


class _Numbers:
    """The chat ids and times that a bulk gives out, room by room."""

    def __init__(self, connection: sqlite3.Connection, room_ids: set[int]) -> None:
        marks = ",".join("?" * len(room_ids))
        rows: list[tuple[int, int | None, int | None, int, int, int]] = connection.execute(
            "select number, row_id, ts, rooms.room_id, last_chat_id, last_ts from revision "  # noqa: S608 – marks
            "left join (select row_id, ts from messages order by row_id desc limit 1) "
            f"left join rooms on rooms.room_id in ({marks})",
            sorted(room_ids),
        ).fetchall()
        self.revision, last_row, last_ts = rows[0][:3]
        self.next_row, self.last_ts = (last_row or 0) + 1, last_ts or 0
        self.rooms = {row[3]: [*row[4:]] for row in rows if row[3] is not None}
        self.touched: set[int] = set()

    def decide(self, message: NewMessage, now: int) -> AppendOutcome:
        """Give a message the next number of its room, unless its author's right may have changed."""
        if message.revision < self.revision:
            return Stale(self.revision)
        last = self.rooms.get(message.room_id)
        if last is None:
            raise OurError(f"room {message.room_id} is not in the store at revision {self.revision}")
        last[0] += 1
        last[1] = max(last[1], now)
        self.touched.add(message.room_id)
        return Appended(last[0], last[1])

    def save(self, connection: sqlite3.Connection) -> None:
        connection.executemany(
            "update rooms set last_chat_id = ?, last_ts = ? where room_id = ?",
            [(*self.rooms[room_id], room_id) for room_id in sorted(self.touched)],
        )


def append_all(
    connection: sqlite3.Connection, server_id: int, now: int, messages: Sequence[NewMessage]
) -> list[AppendOutcome]:
    """Append messages in the order given.

    Args:
        connection: Inside a transaction that holds the write lock.
        server_id: Our row in ``servers``.
        now: The time, in ticks.
        messages: The messages of one bulk, of any rooms.

    Returns:
        One outcome a message.

    Raises:
        OurError: A room is not in the store although the decision is not stale.
        sqlite3.Error: The transaction must be undone.
    """
    numbers = _Numbers(connection, {message.room_id for message in messages})
    outcomes = [numbers.decide(message, now) for message in messages]
    appended = [
        (message, outcome)
        for message, outcome in zip(messages, outcomes, strict=True)
        if type(outcome) is Appended
    ]
    if not appended:
        return outcomes
    numbers.save(connection)
    kept = [
        (row_id, m, *outcome)
        for row_id, (m, outcome) in enumerate(
            ((m, outcome) for m, outcome in appended if m.logged), numbers.next_row
        )
    ]
    if kept:
        _keep(connection, kept, numbers.last_ts)
    caught = [
        (user_id, m.room_id, chat_id, guids, ts)
        for m, (chat_id, ts) in appended
        if m.logged
        for user_id, guids in m.hits
    ]
    if caught:
        insert_rows(connection, _INTO_TOPIC_HITS, caught)
    latest = max(outcome.ts for _, outcome in appended)
    sequence = reserve_sequence(connection, server_id, len(appended), latest)
    if sequence is not None:
        insert_rows(connection, _INTO_OUTBOX, _events(server_id, sequence, appended))
    return outcomes


def _keep(
    connection: sqlite3.Connection, kept: Sequence[tuple[int, NewMessage, int, int]], last_ts: int
) -> None:
    """Write messages (row, message, chat id, time) into the history and the index of words."""
    insert_rows(
        connection,
        _INTO_MESSAGES,
        [
            (row_id, m.room_id, chat_id, ts, m.author_id, m.alert, m.chat, m.rtf)
            for row_id, m, chat_id, ts in kept
        ],
    )
    rows = [
        words_row(Indexed(row_id, m.room_id, chat_id, m.author_id, m.chat)) for row_id, m, chat_id, _ in kept
    ]
    fts5.index_words(connection, rows)
    times = [last_ts, *(ts for *_, ts in kept)]
    if any(ts < before for before, ts in pairwise(times)):
        # The clock was set back. Searches by time rely on the order of the rows, give or take this much.
        connection.execute(
            "update store_info set clock_back = max(clock_back, (select max(last_ts) from rooms) - ?)",
            (min(times[1:]),),
        )


def reserve_sequence(connection: sqlite3.Connection, server_id: int, count: int, latest: int) -> int | None:
    """Take numbers for events, and note that the server is alive.

    Returns:
        The first number, or None when this server records no events.
    """
    row: tuple[int, int] = connection.execute(
        "update servers set last_sequence = last_sequence + ? * records_events, "
        "last_alive = max(last_alive, ?) where server_id = ? returning last_sequence, records_events",
        (count, latest, server_id),
    ).fetchall()[0]
    return row[0] - count + 1 if row[1] else None


def _events(
    server_id: int, first: int, appended: Sequence[tuple[NewMessage, Appended]]
) -> list[tuple[Any, ...]]:
    return [
        (
            *(server_id, sequence, m.message_id, "post", ts, m.room_id, m.room_uri, m.room_name),
            *(m.author_id, m.author_uri, m.author_name, m.author_email, chat_id, m.chat, m.detail),
        )
        for sequence, (m, (chat_id, ts)) in enumerate(appended, first)
    ]
