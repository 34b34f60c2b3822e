"""Copies of the store: where somebody waits for them, and files that somebody has prepared."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

from pchat.errors import OperatorError
from pchat.store.backup import back_up, restore
from tests.admin.test_backups import STAMP, CopyCase
from tests.store.support import new_message

#: What `store_info` never holds.
ODD_VERSIONS = ("version = 'x'", "version = -1", "version = 0", "compat = 'x'", "version = 99")


class HostilePlaces(CopyCase):
    """A copy is made where others may write too, such as /tmp."""

    def test_nothing_is_written_through_a_link(self) -> None:
        """Links that others have put beside the copy lead nowhere."""
        victim = self.home / "victim"
        victim.write_text("precious")
        victim.chmod(0o644)
        for ending in (".part", ".restoring", "-journal", "-wal"):
            (self.home / f"copy{ending}").symlink_to(victim)
            (self.home / f"pchat.sqlite.before{ending}").symlink_to(victim)
        (self.home / "pchat.sqlite.restoring").symlink_to(victim)
        back_up(self.path, self.copy, self.progress)
        self.successResultOf(self.store.stop())
        for companion in ("copy-journal", "copy-wal"):
            (self.home / companion).unlink()
        self.restore()
        self.assertEqual((victim.read_text(), victim.stat().st_mode & 0o777), ("precious", 0o644))
        self.assertEqual((self.texts(self.copy), self.texts()), (["first"], ["first"]))

    def test_a_dangling_link_is_no_place(self) -> None:
        """A link to nothing under the copy's own name is refused, and nothing is made where it leads."""
        elsewhere = self.home / "elsewhere"
        self.copy.symlink_to(elsewhere)
        self.refused("exists already", back_up, self.path, self.copy, self.progress)
        self.assertFalse(elsewhere.exists())

    def test_two_at_once(self) -> None:
        """Of two copies under one name the first is whole, the second is refused, nothing else is left."""

        def another(*told: int) -> None:
            if not self.copy.exists():
                back_up(self.path, self.copy, lambda *_: None)

        self.refused("exists already", back_up, self.path, self.copy, another)
        self.assertEqual(self.texts(self.copy), ["first"])
        self.assertEqual([path.name for path in self.home.glob("copy*")], ["copy"])

    def test_a_full_disk(self) -> None:
        """A copy that fails half way leaves nothing: neither what was written nor the journal of it."""
        self.successResultOf(self.store.append([new_message(chat="x" * 4_000) for _ in range(2_000)]))
        limit = resource.getrlimit(resource.RLIMIT_FSIZE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_FSIZE, limit)
        self.addCleanup(signal.signal, signal.SIGXFSZ, signal.signal(signal.SIGXFSZ, signal.SIG_IGN))
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limit[1]))
        self.refused("the copy failed", back_up, self.path, self.copy, self.progress)
        self.assertEqual(list(self.home.glob("copy*")), [])

    def test_whatever_the_umask(self) -> None:
        """Copies and restored stores are nobody else's, though everything may be read by default."""
        self.addCleanup(os.umask, os.umask(0))
        modes: set[int] = set()

        def look(*told: int) -> None:
            modes.update(path.stat().st_mode & 0o777 for path in self.home.iterdir())

        back_up(self.path, self.copy, look)
        self.successResultOf(self.store.stop())
        self.restore()
        look()
        self.assertEqual(modes, {0o600})


class HostileFiles(CopyCase):
    """A file that is given for a copy holds more, or less, than a store of ours."""

    def prepared(self, *statements: str) -> None:
        """Change a true copy by hand."""
        self.copy.unlink(missing_ok=True)
        back_up(self.path, self.copy, self.progress)
        with closing(sqlite3.connect(self.copy)) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()

    def assert_refused(self, text: str) -> None:
        """Check that the file is refused, and that the store is what it was."""
        error = self.assertRaises(OperatorError, self.restore)
        self.assertIn(text, str(error))
        self.assertEqual(self.texts(), ["first"])
        kept = {path.name for path in self.home.iterdir()} - {"pchat.sqlite-shm", "pchat.sqlite-wal"}
        self.assertEqual(kept, {"copy", "pchat.sqlite", "pchat.sqlite.lock"})

    def test_what_is_not_ours(self) -> None:
        """Triggers, views, tables and indexes that no version of ours made are refused by name."""
        self.successResultOf(self.store.stop())
        for statement, name in (
            ("create trigger t after insert on audit begin delete from audit; end", "trigger t "),
            ("create view v as select * from principals", "view v "),
            ("create table t (a)", "table t "),
            ("create index i on audit (actor)", "index i "),
        ):
            self.prepared(statement)
            self.assert_refused(f"{name}does not belong")

    def test_what_is_missing_or_changed(self) -> None:
        """Tables that are not there, or are something else, are told."""
        self.successResultOf(self.store.stop())
        self.prepared("drop index audit_by_actor")
        self.assert_refused("index audit_by_actor is missing")
        self.prepared("drop table settings", "create table settings (name text)")
        self.assert_refused("table settings is another one")

    def test_what_is_no_file(self) -> None:
        """A pipe, at which reading would wait for ever, a device and a directory are refused at once."""
        self.successResultOf(self.store.stop())
        os.mkfifo(self.copy)
        for path in (self.copy, Path("/dev/zero"), self.home):
            self.refused("no such file", restore, path, self.path, "example.com", self.progress, STAMP)

    def test_versions(self) -> None:
        """A version that is none, or none of this program's, is refused in words."""
        self.successResultOf(self.store.stop())
        for change in ("delete from store_info", *(f"update store_info set {text}" for text in ODD_VERSIONS)):
            self.prepared("pragma ignore_check_constraints = on", change)
            self.assert_refused("version" if "99" in change else "the file is damaged")
        self.prepared("update store_info set version = 1")
        self.assert_refused("does not belong")
