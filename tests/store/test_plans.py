"""How SQLite finds what is asked for often: plans, not times, so that the tests tell the same everywhere."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Coroutine, Sequence
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from pchat.interfaces import Row, SqlValue, WordsRow
from pchat.store import fts5
from pchat.store.invitations import invitations_after
from pchat.store.messages import last_messages, messages_between
from pchat.store.read_markers import read_states
from pchat.store.rooms import delete_room
from pchat.store.schema import find_steps, upgrade_sqlite
from pchat.words import WordQuery, parse_query


class Explained:
    """A transaction that runs nothing and notes how each statement would be run."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.plan: list[str] = []

    async def query(self, sql: str, args: Sequence[SqlValue] = ()) -> list[Row]:
        rows = self._connection.execute("explain query plan " + sql.replace("%s", "?"), args)
        self.plan += [row[3] for row in rows]
        return []

    async def run(self, sql: str, args: Sequence[SqlValue] = ()) -> int:
        await self.query(sql, args)
        return 0

    async def run_many(self, sql: str, rows: Sequence[Sequence[SqlValue]]) -> None:
        for args in rows:
            await self.query(sql, args)

    async def gather(self, columns: Sequence[str], sql: str, args: Sequence[SqlValue] = ()) -> list[Row]:
        return await self.query(sql, args)

    async def index_words(self, rows: Sequence[WordsRow]) -> None:
        """Nothing to explain."""

    async def unindex_words(self, rows: Sequence[WordsRow]) -> None:
        """Nothing to explain."""

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
        sql, _ = fts5.hits_statement(where, newest_first=newest_first, cased=False)
        return await self.query(sql, (fts5.expression(words, authors, marked_rooms), *rows, *args, limit))


class Plans(SynchronousTestCase):
    """What reading a room's messages costs."""

    def setUp(self) -> None:
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.addCleanup(self.connection.close)
        upgrade_sqlite(self.connection, find_steps("sqlite"))
        self.txn = Explained(self.connection)

    def plan_of(self, body: Coroutine[Any, Any, Any]) -> list[str]:
        with self.assertRaises(StopIteration):
            body.send(None)
        return self.txn.plan

    def test_last_messages(self) -> None:
        """Joining a room reads its newest messages off an index, backwards: nothing is searched or sorted."""
        [step] = self.plan_of(last_messages(self.txn, 1, 25))
        self.assertRegex(step, r"^SEARCH messages USING INDEX \w+ \(room_id=\?\)$")

    def test_messages_between(self) -> None:
        """A missing stretch is read off the same index, however long the history."""
        [step] = self.plan_of(messages_between(self.txn, 1, 100, 120))
        self.assertRegex(
            step, r"^SEARCH messages USING INDEX \w+ \(room_id=\? AND chat_id>\? AND chat_id<\?\)$"
        )

    def test_searching_words(self) -> None:
        """Hits are read off the index of words in the order of rows; nothing is sorted or scanned."""
        body = self.txn.word_hits(
            parse_query("hello", "all"),
            (7,),
            (),
            (1, 9),
            "and m.room_id in (%s, %s) and m.ts >= %s",
            (1, 2, 3),
            newest_first=True,
            limit=25,
        )
        index, messages, *rest = self.plan_of(body)
        self.assertRegex(index, r"^SCAN w VIRTUAL TABLE INDEX \d+:.*M")
        self.assertEqual(messages, "SEARCH m USING INTEGER PRIMARY KEY (rowid=?)")
        self.assertEqual(rest, [])

    def test_removing_a_room(self) -> None:
        """Removing a room does not read the messages of all the others."""
        steps = self.plan_of(delete_room(self.txn, 1))
        self.assertTrue(all(step.startswith("SEARCH") for step in steps if " messages " in step), steps)
        self.assertTrue(any(" messages " in step for step in steps))

    def test_unread_messages(self) -> None:
        """What is new is counted off an index alone: a message's text is not read to see who wrote it."""
        steps = self.plan_of(read_states(self.txn, 1, [1], 99))
        reading = [step for step in steps if " messages " in step]
        self.assertEqual(len(reading), 1, steps)
        self.assertRegex(
            reading[0], r"^SEARCH messages USING COVERING INDEX \w+ \(room_id=\? AND chat_id>\?\)$"
        )
        self.assertFalse([step for step in steps if " read_markers" in step and "SEARCH" not in step])

    def test_invitations(self) -> None:
        """A user's invitations are read in their order off an index."""
        steps = self.plan_of(invitations_after(self.txn, 1, 1, 99))
        self.assertIn("invitations_by_number (principal_id=? AND invite_id>?)", steps[0])
        self.assertFalse([step for step in steps if "SCAN" in step or "B-TREE" in step])

    def test_a_message_has_a_number_of_its_own(self) -> None:
        """What indexes messages by text needs one number for each; a number in a room is taken once."""
        insert = "insert into messages (room_id, chat_id, ts, author_id, chat) values (?, ?, 0, 1, 'x')"
        self.connection.executemany(insert, [(1, 1), (2, 1), (1, 2)])
        rows = self.connection.execute("select row_id, room_id, chat_id from messages order by row_id")
        self.assertEqual(rows.fetchall(), [(1, 1, 1), (2, 2, 1), (3, 1, 2)])
        with self.assertRaises(sqlite3.IntegrityError):
            self.connection.execute(insert, (1, 2))
