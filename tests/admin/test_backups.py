"""``pchatctl backup`` and ``restore``: what an operator has after a bad day."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pchat import ticks
from pchat.errors import OperatorError, StoreInUse
from pchat.store.backup import back_up, restore
from pchat.store.changes import Stamp
from pchat.store.lock import StoreLock
from pchat.store.sqlite import SqliteStore
from tests.store.support import make_rooms, new_message

STAMP = Stamp("local:tester", ticks.from_unix(1_795_348_800))


class CopyCase(SynchronousTestCase):
    """A store on disk with one message, and the place of its copy."""

    def setUp(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="pchat-"))
        self.addCleanup(shutil.rmtree, self.home)
        self.path = self.home / "pchat.sqlite"
        self.copy = self.home / "copy"
        self.told: list[tuple[int, int]] = []
        self.store = self.open()
        self.successResultOf(self.store.write(make_rooms, 1))
        self.say("first")

    def open(self, domain: str = "example.com") -> SqliteStore:
        """Start a store, as a server does."""
        store = SqliteStore(
            self.path, clock=Clock(), server_name="one", random=os.urandom, inline=True, domain=domain
        )
        self.successResultOf(store.start())
        return store

    def say(self, text: str) -> None:
        """Keep a message."""
        self.successResultOf(self.store.append([new_message(chat=text)]))

    def texts(self, path: Path | None = None) -> list[str]:
        """Read the messages of a file."""
        with closing(sqlite3.connect(path or self.path)) as connection:
            return [row[0] for row in connection.execute("select chat from messages order by row_id")]

    def progress(self, *told: int) -> None:
        self.told.append(told)  # type: ignore[arg-type]  # two numbers

    def refused(self, text: str, call: Any, *args: Any) -> None:
        """Check that a call is refused in words."""
        self.assertIn(text, str(self.assertRaises(OperatorError, call, *args)))

    def restore(self) -> Path | None:
        return restore(self.copy, self.path, "example.com", self.progress, STAMP)


class Copies(CopyCase):
    """Copies that are made and put back, and what can be wrong with them."""

    def test_a_copy_while_the_server_writes(self) -> None:
        """The copy is one moment of the store, private, whole, in one file; the store goes on."""

        def write_more(*told: int) -> None:
            self.progress(*told)
            self.say(f"during the copy {len(self.told)}")

        size = back_up(self.path, self.copy, write_more)
        self.assertEqual(self.texts(self.copy), ["first"])
        self.assertGreater(len(self.texts()), 1)
        self.assertEqual(self.copy.stat().st_mode & 0o777, 0o600)
        self.assertEqual(self.copy.stat().st_size, size)
        self.assertEqual(self.told[-1][0], self.told[-1][1])
        self.assertEqual(sorted(path.name for path in self.home.glob("copy*")), ["copy"])

    def test_nothing_is_overwritten(self) -> None:
        """A file that exists is never replaced; without a store there is nothing to copy."""
        self.copy.write_text("precious")
        self.refused("exists already", back_up, self.path, self.copy, self.progress)
        self.assertEqual(self.copy.read_text(), "precious")
        self.refused("no store to copy", back_up, self.home / "nothing", self.home / "x", self.progress)

    def test_restored(self) -> None:
        """After a restore the store is what it was, works, and the newer one is kept beside it."""
        back_up(self.path, self.copy, self.progress)
        self.say("later")
        self.successResultOf(self.store.stop())
        kept = self.restore()
        assert kept is not None
        self.assertEqual(kept.name, "pchat.sqlite.before-20261122T120000Z")
        self.assertEqual(self.texts(kept), ["first", "later"])
        self.store = self.open()
        self.say("again")
        self.assertEqual(self.texts(), ["first", "again"])

    def test_on_record(self) -> None:
        """The audit log that is put back tells who put it back, when and from what."""
        back_up(self.path, self.copy, self.progress)
        self.successResultOf(self.store.stop())
        self.restore()
        with closing(sqlite3.connect(self.path)) as connection:
            query = "select time_ticks, actor, action, kind, after from audit order by entry_id desc"
            found = connection.execute(query).fetchone()
        after = json.dumps({"file": str(self.copy)})
        self.assertEqual(found, (STAMP.now, "local:tester", "restore", "store", after))

    def test_a_server_in_the_way(self) -> None:
        """While anybody has the store nothing is put in its place."""
        back_up(self.path, self.copy, self.progress)
        self.assertRaises(StoreInUse, self.restore)
        self.assertEqual(self.texts(), ["first"])

    def test_a_damaged_store_is_replaced(self) -> None:
        """A store that cannot be read any more is kept as it is, and the copy takes its place."""
        back_up(self.path, self.copy, self.progress)
        self.successResultOf(self.store.stop())
        self.path.write_bytes(b"no database at all" * 100)
        kept = self.restore()
        assert kept is not None
        self.assertTrue(kept.read_bytes().startswith(b"no database"))
        self.assertEqual(self.texts(), ["first"])

    def test_wrong_files(self) -> None:
        """A damaged copy, a foreign file and another domain's store are refused, and nothing changes."""
        back_up(self.path, self.copy, self.progress)
        self.successResultOf(self.store.stop())
        self.refused(
            "belongs to the domain", restore, self.copy, self.path, "other.example", self.progress, STAMP
        )
        other = self.home / "other"
        other.write_text("text")
        self.refused("is no chat store", restore, other, self.path, "example.com", self.progress, STAMP)
        with closing(sqlite3.connect(self.home / "foreign")) as connection:
            connection.execute("create table t (a)")
            connection.commit()
        self.refused(
            "not a chat store", restore, self.home / "foreign", self.path, "example.com", self.progress, STAMP
        )
        whole = bytearray(self.copy.read_bytes())
        whole[8192:12288] = bytes(4096)
        self.copy.write_bytes(whole)
        self.assertRaises(OperatorError, self.restore)
        self.assertEqual(self.texts(), ["first"])
        self.assertEqual(list(self.home.glob("*before*")), [])
        StoreLock(self.path).take()
