"""Stores whose words were never indexed, or were cut by another version."""

from __future__ import annotations

import sqlite3

from twisted.trial.unittest import SynchronousTestCase

from pchat.store import indexing, reindexing
from pchat.store.reindexing import make_words
from pchat.store.schema import find_steps, upgrade_sqlite
from pchat.store.transaction import DirectTransaction, drive
from pchat.words import WORDS_VERSION, Cut, cut, parse_query

MESSAGES = 10


class Reindexing(SynchronousTestCase):
    """What a server does before it opens such a store."""

    def setUp(self) -> None:
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.addCleanup(self.connection.close)
        self.patch(reindexing, "_AT_ONCE", 3)
        upgrade_sqlite(self.connection, find_steps("sqlite")[:1])
        self.connection.executemany(
            "insert into messages (room_id, chat_id, ts, author_id, chat) values (?, ?, 0, 1, ?)",
            [(1 + number % 2, number, f"Hello 北京 {number}") for number in range(1, MESSAGES + 1)],
        )
        upgrade_sqlite(self.connection, find_steps("sqlite"))

    def found(self, text: str) -> int:
        every = (0, (1 << 62) - 1)
        hits = DirectTransaction(self.connection).word_hits(
            parse_query(text, "all"), (), (), every, "", (), newest_first=True, limit=100
        )
        return len(drive(hits))

    def test_a_store_from_before(self) -> None:
        """The history of an older version is found after the upgrade, each message once."""
        self.assertEqual(self.found("hello"), 0)
        make_words(self.connection)
        self.assertEqual((self.found("hello"), self.found("京"), self.found("7")), (MESSAGES, MESSAGES, 1))

    def test_nothing_is_done_twice(self) -> None:
        """A store whose index is whole opens at once."""
        make_words(self.connection)
        self.patch(reindexing, "words_row", None)
        make_words(self.connection)
        self.assertEqual(self.found("hello"), MESSAGES)

    def test_a_server_stopped_half_way(self) -> None:
        """Who is interrupted goes on where he was, and indexes no message twice."""
        calls = []

        def fails_later(*row: object) -> object:
            calls.append(row)
            if len(calls) == 5:
                raise KeyboardInterrupt
            return indexing.words_row(*row)  # type: ignore[arg-type]

        self.patch(reindexing, "words_row", fails_later)
        with self.assertRaises(KeyboardInterrupt):
            make_words(self.connection)
        self.assertFalse(self.connection.in_transaction)
        self.assertEqual(self.found("hello"), 3)
        make_words(self.connection)
        self.assertEqual(self.found("hello"), MESSAGES)
        self.assertEqual(len(calls), 5 + MESSAGES - 3)

    def test_another_way_of_cutting(self) -> None:
        """When a version cuts otherwise the index is made anew, without the old words."""

        def backwards(text: str) -> Cut:
            words, extras = cut(text)
            return Cut([word[::-1] for word in words], extras)

        make_words(self.connection)
        self.patch(reindexing, "WORDS_VERSION", WORDS_VERSION + " backwards")
        self.patch(indexing, "cut", backwards)
        make_words(self.connection)
        self.assertEqual((self.found("hello"), self.found("olleh")), (0, MESSAGES))
