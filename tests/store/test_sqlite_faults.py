"""What callers are told when the disk fails: the truth, or nothing."""

from __future__ import annotations

import contextlib  # not its suppress by name: trial reads a module's "suppress" as warnings to hide
import sqlite3
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pchat.errors import OutcomeUnknown, StoreUnavailable
from pchat.interfaces import ITransaction
from pchat.store.connection import connect
from pchat.store.sqlite import SqliteStore
from pchat.testing.store import counting_random
from pchat.testing.threads import ThreadPump
from tests.store.contract import StoreCase
from tests.store.faults import Faults, disk_full, lost_after, lost_before, succeeds
from tests.store.support import add_user, new_message, outbox_rows, temporary_path, users


class FaultCase(StoreCase):
    """A store with threads on connections that can fail."""

    def make_store(self, clock: Clock, **options: Any) -> SqliteStore:
        self.pump = ThreadPump()
        self.faults = Faults()
        self.path = temporary_path(self)
        return SqliteStore(
            self.path,
            clock=clock,
            server_name="test",
            random=counting_random(),
            threads=self.pump,
            connect=self.faults.connect,
            **options,
        )

    def result_of(self, deferred: Deferred[Any]) -> Any:
        return self.pump.result_of(deferred)

    def post(self, chat: str) -> Deferred[Any]:
        return self.store.append([new_message(chat=chat)])  # type: ignore[no-any-return]  # store is Any here

    def events(self) -> list[tuple[int, str]]:
        return [(row[0], row[-1]) for row in self.result_of(self.store.read(outbox_rows))]


class CommitFails(FaultCase, SynchronousTestCase):
    """Errors of the commit itself."""

    def test_disk_full_at_commit(self) -> None:
        """A post that certainly is not kept is refused; the client sends it again, and it is kept once."""
        self.faults.commits = [disk_full]
        self.assertIn("full", self.refused(self.post("one"), StoreUnavailable))
        self.assertEqual(self.history(), [])
        self.assertEqual(self.result_of(self.post("one"))[0].chat_id, 1)
        self.assertEqual(self.events(), [(1, "one")])

    def test_a_commit_in_doubt_that_happened(self) -> None:
        """When the error hid that the commit happened, the author is told that his post is kept."""
        self.faults.commits = [lost_after]
        self.assertEqual(self.result_of(self.post("one"))[0].chat_id, 1)
        self.assertEqual(self.result_of(self.post("two"))[0].chat_id, 2)
        self.assertEqual(self.history(), [(1, "one"), (2, "two")])
        self.assertEqual(self.events(), [(1, "one"), (2, "two")])

    def test_a_commit_in_doubt_that_did_not_happen(self) -> None:
        """When the commit did not happen, the post is refused; sent again, it is there once."""
        self.faults.commits = [lost_before]
        self.refused(self.post("one"), StoreUnavailable)
        self.assertEqual(self.result_of(self.post("one"))[0].chat_id, 1)
        self.assertEqual(self.history(), [(1, "one")])

    def test_doubt_is_settled_by_a_commit(self) -> None:
        """The outcome is only believed once a commit of ours has followed the doubtful one."""
        opened = self.faults.opened
        self.faults.commits = [lost_after, lost_before, lost_after, succeeds]
        self.assertEqual(self.result_of(self.post("one"))[0].chat_id, 1)
        self.assertEqual(self.faults.commits, [])
        self.assertEqual(self.faults.opened - opened, 3)
        self.assertEqual(self.history(), [(1, "one")])

    def test_doubt_that_lasts(self) -> None:
        """While the store cannot be opened the doubtful post stays unanswered, and others are refused."""
        self.faults.commits = [lost_after]
        self.faults.opens = 2
        doubtful = self.post("one")
        later = self.post("two")
        self.assertEqual(self.result_of(doubtful)[0].chat_id, 1)
        self.assertEqual(self.faults.opens, 0)
        outcome = self.result_of(later.addErrback(lambda failure: failure.trap(StoreUnavailable)))
        # It was refused, or came in the same commit; but it was never lost without a word.
        kept = [chat for _, chat in self.history()]
        self.assertEqual(kept, ["one"] if outcome is StoreUnavailable else ["one", "two"])

    def test_stopped_in_doubt(self) -> None:
        """If the store must stop before it knows, a post is never answered, and a change says so."""
        self.faults.commits = [lost_after]
        self.faults.opens = 10**6
        change = self.store.write(add_user, "ann")
        self.result_of(self.store.stop())
        self.failureResultOf(change, OutcomeUnknown)

    def test_a_post_in_doubt_when_stopped(self) -> None:
        """A post whose fate nobody knows gets no answer at all."""
        self.faults.commits = [lost_after]
        self.faults.opens = 10**6
        post = self.post("one")
        self.result_of(self.store.stop())
        self.assertNoResult(post)

    def test_no_commit_for_a_group_that_failed(self) -> None:
        """When every change of a group failed there is nothing to commit, and nothing is in doubt."""

        async def fails(txn: ITransaction) -> None:
            raise LookupError

        self.faults.commits = [lost_before]
        self.refused(self.store.write(fails), LookupError)
        self.assertEqual(self.faults.commits, [lost_before])
        self.faults.commits = []

    def test_inline_store_settles_at_once(self) -> None:
        """A tool that works on the store itself is told the truth as well."""
        faults = Faults()
        store = SqliteStore(
            temporary_path(self),
            clock=self.clock,
            server_name="tool",
            random=counting_random(),
            inline=True,
            connect=faults.connect,
        )
        self.successResultOf(store.start())
        faults.commits = [lost_after]
        self.successResultOf(store.write(add_user, "ann"))
        faults.commits = [lost_before]
        self.failureResultOf(store.write(add_user, "bob"), StoreUnavailable)
        faults.commits, faults.opens = [lost_before], 1
        self.failureResultOf(store.write(add_user, "cid"), OutcomeUnknown)
        self.assertEqual(self.successResultOf(store.read(users)), ["ann"])
        self.successResultOf(store.stop())


class StatementFails(FaultCase, SynchronousTestCase):
    """Errors before the commit."""

    def fill(self, txn_size: int = 200_000) -> Any:
        async def body(txn: ITransaction) -> None:
            await txn.run("insert into settings (name, value) values ('big', %s)", ("x" * txn_size,))

        return self.store.write(body)

    def test_disk_full(self) -> None:
        """On a full disk posts are refused, what was kept is read, and with room again all is well."""
        self.result_of(self.post("before"))
        writer = self.store._writer.usable_connection()
        pages = writer.execute("pragma page_count").fetchone()[0]
        writer.execute(f"pragma max_page_count = {pages + 1}")
        self.refused(self.fill(), StoreUnavailable)
        refused, kept = 0, ["before"]
        for n in range(200):
            post = self.post(f"{n} " + "x" * 500)
            try:
                self.result_of(post)
            except StoreUnavailable:
                refused += 1
            else:
                kept.append(f"{n}")
        self.assertGreater(refused, 100)
        self.assertEqual([chat.split(" ")[0] for _, chat in self.history()], kept)
        self.store._writer.usable_connection().execute("pragma max_page_count = 100000")
        self.assertEqual(self.result_of(self.post("after"))[0].chat_id, len(kept) + 1)
        self.assertEqual([n for n, _ in self.events()], list(range(1, len(kept) + 2)))

    def test_a_body_that_ignores_a_lost_transaction(self) -> None:
        """A change that goes on after the store undid everything cannot write outside of its transaction."""

        async def goes_on(txn: ITransaction) -> None:
            await add_user(txn, "half")
            sqlite3.Connection.execute(self.store._writer.usable_connection(), "rollback")
            for name in ("one", "two"):
                with contextlib.suppress(Exception):
                    await txn.query("select * from nowhere")
                with contextlib.suppress(Exception):
                    await add_user(txn, name)

        self.refused(self.store.write(goes_on), StoreUnavailable)
        self.assertEqual(self.result_of(self.store.read(users)), [])
        self.result_of(self.store.write(add_user, "ann"))
        self.assertEqual(self.result_of(self.store.read(users)), ["ann"])

    def test_the_store_cannot_be_opened(self) -> None:
        """A start that fails says so, lets go of the lock, and can be tried again."""
        self.result_of(self.store.stop())
        self.faults.opens = 1
        self.refused(self.store.start(), StoreUnavailable)
        self.result_of(self.store.start())
        self.assertEqual(self.result_of(self.post("one"))[0].chat_id, 1)

    def test_a_bug_in_the_writer_is_no_silence(self) -> None:
        """An error nobody thought of refuses the group that met it, and the store goes on."""

        async def breaks(txn: ITransaction) -> None:
            raise SystemExit

        self.refused(self.store.write(breaks), StoreUnavailable)
        self.assertEqual(self.result_of(self.post("one"))[0].chat_id, 1)
        self.assertEqual(len(self.flushLoggedErrors(SystemExit)), 1)


class ReadFails(FaultCase, SynchronousTestCase):
    """Errors of the reading side."""

    def test_a_reader_that_lost_its_connection(self) -> None:
        """A read that failed for the disk's sake is refused, and the next one opens the file again."""
        self.faults.opens = 1
        self.refused(self.store.read(users), StoreUnavailable)
        self.assertEqual(self.result_of(self.store.read(users)), [])

    def test_connect_closes_what_it_cannot_use(self) -> None:
        """A connection that cannot be set up is not left open."""
        path = temporary_path(self)
        with open(path, "wb") as file:
            file.write(b"no database" * 1000)
        with self.assertRaises(sqlite3.DatabaseError):
            connect(path, 0.1)
