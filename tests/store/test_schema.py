"""Steps of the schema, and stores of other versions."""

from __future__ import annotations

import sqlite3

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pchat.errors import OperatorError, OurError
from pchat.store.schema import (
    Step,
    StoreVersion,
    find_steps,
    missing_steps,
    read_step,
    sqlite_version,
    statements,
    upgrade_sqlite,
)
from pchat.store.sqlite import SqliteStore
from pchat.testing.store import counting_random
from tests.store.support import temporary_path


class Steps(SynchronousTestCase):
    """Reading and choosing steps."""

    def test_the_steps_that_ship(self) -> None:
        """The first step is there, and every step leaves a compat number that its own version satisfies."""
        steps = find_steps("sqlite")
        self.assertEqual([step.number for step in steps], list(range(1, len(steps) + 1)))
        self.assertTrue(all(1 <= step.compat <= step.number for step in steps))

    def test_a_step_tells_its_compat_number(self) -> None:
        """A step file without number or compat line is a mistake that is found at once."""
        step = read_step("0007_more.sqlite.sql", "-- compat 5\nselect 1;")
        self.assertEqual((step.number, step.compat), (7, 5))
        for name, text in (("more.sqlite.sql", "-- compat 5\n"), ("0007_more.sqlite.sql", "select 1;")):
            with self.assertRaises(OurError):
                read_step(name, text)

    def test_which_steps_are_missing(self) -> None:
        """An old store gets what it lacks, a newer one that we may use gets nothing, others are refused."""
        steps = [Step(n, str(n), 1, "") for n in (1, 2, 3)]
        self.assertEqual(missing_steps(steps, StoreVersion(0, 0)), steps)
        self.assertEqual(missing_steps(steps, StoreVersion(2, 1)), steps[2:])
        self.assertEqual(missing_steps(steps, StoreVersion(4, 3)), [])
        with self.assertRaises(OperatorError) as caught:
            missing_steps(steps, StoreVersion(5, 4))
        self.assertIn("newer release", str(caught.exception))

    def test_cutting_into_statements(self) -> None:
        """Semicolons in strings, comments and triggers do not cut a statement."""
        trigger = "create trigger t after insert on a begin delete from a; delete from b; end"
        sql = f"-- compat 1; yes\ninsert into a values (';');\n\n{trigger};\n-- the end; really\n"
        found = list(statements(sql))
        self.assertEqual(len(found), 2)
        self.assertTrue(found[0].endswith("values (';')"))
        self.assertEqual(found[1], trigger)
        with self.assertRaises(OurError):
            list(statements("select 1; select 'open"))


class Numbers(SynchronousTestCase):
    """What is named by its number outside of its table."""

    def test_no_number_is_given_twice(self) -> None:
        """A number whose row is gone is not given again: messages, hits and the log of changes name it."""
        connection = sqlite3.connect(":memory:", isolation_level=None)
        self.addCleanup(connection.close)
        upgrade_sqlite(connection, find_steps("sqlite"))
        connection.execute("pragma foreign_keys = off")
        for table in ("rooms", "principals", "categories", "addins", "api_tokens"):
            columns = connection.execute(f"pragma table_info({table})").fetchall()
            number = columns[0][1]
            needed = [name for _, name, _, not_null, default, key in columns if not_null and default is None]
            marks = ", ".join("?" * len(needed))
            insert = f"insert into {table} ({', '.join(needed)}) values ({marks}) returning {number}"
            [[first]] = connection.execute(insert, needed).fetchall()
            connection.execute(f"delete from {table}")
            [[second]] = connection.execute(insert, needed).fetchall()
            self.assertGreater(second, first, table)


class Upgrade(SynchronousTestCase):
    """Applying steps to a database."""

    def setUp(self) -> None:
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.addCleanup(self.connection.close)

    def test_a_step_that_fails_is_undone_whole(self) -> None:
        """An upgrade that fails leaves the store at the version it had."""
        steps = find_steps("sqlite")
        upgrade_sqlite(self.connection, steps)
        bad = Step(len(steps) + 1, "bad", 1, "-- compat 1\ncreate table new (x);\ncreate table rooms (x);")
        with self.assertRaises(sqlite3.OperationalError):
            upgrade_sqlite(self.connection, [*steps, bad])
        self.assertEqual(sqlite_version(self.connection).version, len(steps))
        with self.assertRaises(sqlite3.OperationalError):
            self.connection.execute("select * from new")

    def test_only_what_is_missing_is_applied(self) -> None:
        """A second upgrade changes nothing but what a new step asks for."""
        steps = find_steps("sqlite")
        upgrade_sqlite(self.connection, steps)
        self.connection.execute("update revision set number = 5")
        more = Step(len(steps) + 1, "more", 1, "-- compat 1\ncreate table new (x);")
        self.assertEqual(upgrade_sqlite(self.connection, [*steps, more]), StoreVersion(len(steps) + 1, 1))
        self.assertEqual(self.connection.execute("select number from revision").fetchone(), (5,))

    def test_another_programs_database(self) -> None:
        """A database of another program is never touched."""
        self.connection.execute("create table recipes (x)")
        with self.assertRaises(OperatorError) as caught:
            upgrade_sqlite(self.connection, find_steps("sqlite"))
        self.assertIn("not a chat store", str(caught.exception))


class StoresOfOtherVersions(SynchronousTestCase):
    """A server on a store that another version has written."""

    def store_with(self, version: int, compat: int) -> SqliteStore:
        path = temporary_path(self)
        store = SqliteStore(path, clock=Clock(), server_name="x", random=counting_random(), inline=True)
        self.successResultOf(store.start())
        self.successResultOf(store.stop())
        connection = sqlite3.connect(path)
        connection.execute("update store_info set version = ?, compat = ?", (version, compat))
        connection.commit()
        connection.close()
        return store

    def test_a_newer_compat_number_is_refused(self) -> None:
        """A server refuses a store that only newer servers understand, and does not keep its lock."""
        store = self.store_with(99, 99)
        for _ in range(2):
            error = self.failureResultOf(store.start(), OperatorError)
            self.assertIn("version 99", str(error.value))

    def test_a_newer_version_that_we_may_use(self) -> None:
        """Two neighbouring versions run side by side."""
        store = self.store_with(99, 1)
        self.successResultOf(store.start())
        self.assertEqual(store.describe()["schema_version"], 99)
        self.successResultOf(store.stop())


class Domains(SynchronousTestCase):
    """A store belongs to the SIP domain that it was begun for."""

    def setUp(self) -> None:
        self.path = temporary_path(self)

    def store(self, domain: str | None, name: str = "x") -> SqliteStore:
        return SqliteStore(
            self.path, clock=Clock(), server_name=name, random=counting_random(), inline=True, domain=domain
        )

    def runs_with(self, domain: str | None) -> None:
        store = self.store(domain)
        self.successResultOf(store.start())
        self.successResultOf(store.stop())

    def kept(self, sql: str) -> list[tuple[object, ...]]:
        connection = sqlite3.connect(self.path)
        self.addCleanup(connection.close)
        return connection.execute(sql).fetchall()

    def test_another_domain_is_refused(self) -> None:
        """A server configured for another domain is told in one line what to do, and changes nothing."""
        self.runs_with("example.com")
        for _ in range(2):
            error = self.failureResultOf(self.store("example.org", "y").start(), OperatorError)
            told = str(error.value)
            self.assertNotIn("\n", told)
            for word in ("example.com", "example.org", "[server]", "data"):
                self.assertIn(word, told)
        self.assertEqual(self.kept("select name from servers"), [("x",)])
        self.runs_with("example.com")

    def test_spelling_is_not_another_domain(self) -> None:
        """Domains are the same in any case."""
        self.runs_with("Example.COM")
        self.runs_with("example.com")
        self.assertEqual(self.kept("select domain from store_info"), [("example.com",)])

    def test_who_does_not_ask(self) -> None:
        """A tool that names no domain works on any store, and leaves the domain to the first server."""
        self.runs_with(None)
        self.assertEqual(self.kept("select domain from store_info"), [("",)])
        self.runs_with("example.com")
        self.runs_with(None)
        self.assertEqual(self.kept("select domain from store_info"), [("example.com",)])
