"""The store and other processes: killed in the middle, short of disk, holding the lock."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import IO

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

import pchat
from pchat.errors import StoreInUse
from pchat.store.sqlite import SqliteStore
from pchat.testing.store import counting_random
from tests.store.support import make_rooms, temporary_path

#: Each kill comes after another number of acknowledged posts.
KILLS = 5


class Processes(SynchronousTestCase):
    """A child process works on the store of this test."""

    def setUp(self) -> None:
        self.path = temporary_path(self)
        store = self.store()
        self.successResultOf(store.start())
        self.successResultOf(store.write(make_rooms, 1, 2))
        self.successResultOf(store.stop())

    def store(self) -> SqliteStore:
        return SqliteStore(
            self.path, clock=Clock(), server_name="test", random=counting_random(), inline=True
        )

    def child(self, what: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.store.child", what, self.path],
            cwd=Path(pchat.__file__).parent.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(self.end, process)
        return process

    def end(self, process: subprocess.Popen[str]) -> None:
        process.kill()
        process.communicate()

    def output(self, process: subprocess.Popen[str]) -> IO[str]:
        assert process.stdout is not None
        return process.stdout

    def assert_kept(self, acknowledged: list[list[str]]) -> None:
        """Every acknowledged post is there once under its number; numbers and sequences have no gaps."""
        store = self.store()
        self.successResultOf(store.start())
        self.successResultOf(store.stop())
        connection = sqlite3.connect(self.path)
        self.addCleanup(connection.close)
        events = connection.execute(
            "select event_id, room_id, chat_id from outbox order by server_sequence"
        ).fetchall()
        self.assertEqual(len({event_id for event_id, _, _ in events}), len(events))
        kept = {event_id: [str(room_id), str(chat_id)] for event_id, room_id, chat_id in events}
        self.assertEqual(
            [kept.get(words[0]) for words in acknowledged], [words[1:] for words in acknowledged]
        )
        self.assertEqual(
            connection.execute("select max(server_sequence), count(*) from outbox").fetchone(),
            (len(events) or None, len(events)),
        )
        history = connection.execute("select room_id, chat_id from messages order by 1, 2").fetchall()
        self.assertEqual(history, sorted((room_id, chat_id) for _, room_id, chat_id in events))
        for room_id, last in connection.execute("select room_id, last_chat_id from rooms").fetchall():
            found = [chat_id for room, chat_id in history if room == room_id]
            self.assertEqual(found, list(range(1, last + 1)))
        self.assertEqual(connection.execute("pragma integrity_check").fetchone(), ("ok",))

    def test_killed_in_the_middle_of_appends(self) -> None:
        """However often the server is killed with posts in flight, every acknowledged one is there, once."""
        acknowledged: list[list[str]] = []
        for _ in range(KILLS):
            process = self.child("append")
            for _ in range(random.randint(1, 400)):
                acknowledged.append(self.output(process).readline().split())
            process.send_signal(signal.SIGKILL)
            rest, _ = process.communicate()
            acknowledged += [line.split() for line in rest.splitlines(keepends=True) if line.endswith("\n")]
            self.assertTrue(all(len(words) == 3 for words in acknowledged))
            self.assert_kept(acknowledged)

    def test_no_file_may_grow(self) -> None:
        """When the system refuses to let the files grow, nothing is promised; with room again all goes on."""
        process = self.child("full")
        output, _ = process.communicate()
        self.assertEqual(process.returncode, 0)
        lines = [line.split() for line in output.splitlines()]
        told = {words[0]: words[1:] for words in lines if words[0] in ("doubtful", "after")}
        self.assertEqual(told, {"doubtful": ["refused"], "after": ["kept"]})
        acknowledged = [words for words in lines if words[0] not in told]
        self.assertEqual(len(acknowledged), 25)
        self.assert_kept(acknowledged)

    def test_another_process_has_the_store(self) -> None:
        """A tool that wants the store of a running server is told its process, and may work after it."""
        process = self.child("hold")
        self.assertEqual(self.output(process).readline(), "open\n")
        error = self.failureResultOf(self.store().start(), StoreInUse)
        self.assertEqual(error.value.pid, process.pid)
        self.assertIn(f"process {process.pid};", str(error.value))
        process.kill()
        process.wait()
        store = self.store()
        self.successResultOf(store.start())
        self.successResultOf(store.stop())
