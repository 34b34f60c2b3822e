"""The contract on SQLite, with threads and without, and what only SQLite has."""

from __future__ import annotations

import os
import sqlite3
import threading
from itertools import groupby
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pchat.errors import OperatorError, OurError, StoreInUse, StoreUnavailable
from pchat.interfaces import ITransaction
from pchat.store import messages
from pchat.store.connection import connect
from pchat.store.messages import Appended
from pchat.store.sqlite import SqliteStore
from pchat.testing.store import counting_random, memory_store
from pchat.testing.threads import STUCK_SECONDS, ThreadPump
from tests.store.contract import AppendContract, StoreCase, TransactionContract
from tests.store.records_contract import EventsContract, PublicationsContract, RestartContract
from tests.store.support import add_user, make_rooms, new_message, raise_revision, temporary_path, users


class InMemory(StoreCase):
    """Everything at once, in memory: what tests and tools use."""

    def make_store(self, clock: Clock, **options: Any) -> SqliteStore:
        return SqliteStore(
            ":memory:", clock=clock, server_name="test", random=counting_random(), inline=True, **options
        )

    def result_of(self, deferred: Deferred[Any]) -> Any:
        return ThreadPump().result_of(deferred)  # has fired already


class Threaded(StoreCase):
    """With threads, in a file: what a server uses."""

    def make_store(self, clock: Clock, path: str | None = None, **options: Any) -> SqliteStore:
        self.pump = getattr(self, "pump", None) or ThreadPump()
        return SqliteStore(
            path or temporary_path(self),
            clock=clock,
            server_name="test",
            random=counting_random(),
            threads=self.pump,
            **options,
        )

    def again(self, store: SqliteStore) -> SqliteStore:
        return self.make_store(self.clock, store.describe()["location"])

    def result_of(self, deferred: Deferred[Any]) -> Any:
        return self.pump.result_of(deferred)


class InMemoryAppend(InMemory, AppendContract, SynchronousTestCase):
    """Posts, in memory."""


class InMemoryTransaction(InMemory, TransactionContract, SynchronousTestCase):
    """Bodies, in memory."""


class InMemoryEvents(InMemory, EventsContract, SynchronousTestCase):
    """Events, in memory."""


class InMemoryPublications(InMemory, PublicationsContract, SynchronousTestCase):
    """Publications, in memory."""


class ThreadedAppend(Threaded, AppendContract, SynchronousTestCase):
    """Posts, with threads."""


class ThreadedTransaction(Threaded, TransactionContract, SynchronousTestCase):
    """Bodies, with threads."""


class ThreadedEvents(Threaded, EventsContract, SynchronousTestCase):
    """Events, with threads."""


class ThreadedPublications(Threaded, PublicationsContract, SynchronousTestCase):
    """Publications, with threads."""


class ThreadedRestart(Threaded, RestartContract, SynchronousTestCase):
    """Restart, with threads."""


class GroupCommit(Threaded, SynchronousTestCase):
    """Many callers, one commit."""

    def hold(self) -> threading.Event:
        """Keep the writer busy until the event is set."""
        gate = threading.Event()
        self.addCleanup(gate.set)
        entered = threading.Event()

        async def body(txn: ITransaction) -> None:
            entered.set()
            assert gate.wait(STUCK_SECONDS)

        self.store.write(body)
        assert entered.wait(STUCK_SECONDS)
        return gate

    def test_all_that_waits_is_one_commit_and_one_callback(self) -> None:
        """Fifty posts that wait are committed together, and reach the reactor in one call."""
        commits, calls = self.store.describe()["commits"], self.pump.count
        gate = self.hold()
        posts = [self.store.append([new_message(chat=str(n))]) for n in range(50)]
        changes = [self.store.write(add_user, f"user {n}") for n in range(5)]
        gate.set()
        self.result_of(changes[-1])
        self.assertEqual(self.store.describe()["commits"] - commits, 2)
        self.assertEqual(self.pump.count - calls, 2)
        self.assertEqual([self.successResultOf(post)[0].chat_id for post in posts], list(range(1, 51)))

    def test_the_queue_is_bounded(self) -> None:
        """When too much waits, a post is refused at once, and accepted again when the queue is shorter."""
        self.store = self.started(queue_limit=10)
        gate = self.hold()
        waiting = [self.store.append([new_message(), new_message(), new_message()]) for _ in range(3)]
        self.failureResultOf(self.store.append([new_message()]), StoreUnavailable)
        self.failureResultOf(self.store.write(users), StoreUnavailable)
        gate.set()
        self.result_of(waiting[-1])
        self.assertEqual(self.result_of(self.store.append([new_message()]))[0].chat_id, 10)

    def test_reading_does_not_wait_for_the_writer(self) -> None:
        """While the writer is held up, history is still read, as it was committed."""
        self.result_of(self.store.append([new_message(chat="kept")]))
        gate = self.hold()
        post = self.store.append([new_message(chat="waits")])
        self.assertEqual(self.history(), [(1, "kept")])
        self.assertNoResult(post)
        gate.set()
        self.result_of(post)

    def test_a_read_sees_one_moment(self) -> None:
        """A long search sees the store as it was when it began, and does not hold up posts."""
        gate, entered = threading.Event(), threading.Event()
        self.addCleanup(gate.set)

        async def twice(txn: ITransaction) -> tuple[int, int]:
            before = len(await messages.last_messages(txn, 1, 10))
            entered.set()
            assert gate.wait(STUCK_SECONDS)
            return before, len(await messages.last_messages(txn, 1, 10))

        search = self.store.read(twice)
        assert entered.wait(STUCK_SECONDS)
        self.result_of(self.store.append([new_message()]))
        gate.set()
        self.assertEqual(self.result_of(search), (0, 0))

    def test_one_bad_post_among_those_that_wait(self) -> None:
        """A post that cannot be kept does not take its neighbours of the same commit with it."""
        gate = self.hold()
        good = [self.store.append([new_message(chat="a")])]
        bad = self.store.append([new_message(77)])
        good.append(self.store.append([new_message(chat="b")]))
        gate.set()
        self.assertEqual([self.result_of(post)[0].chat_id for post in good], [1, 2])
        self.refused(bad, OurError)
        self.assertEqual(self.history(), [(1, "a"), (2, "b")])


class Files(Threaded, SynchronousTestCase):
    """The files of a store."""

    def test_modes_whatever_the_umask(self) -> None:
        """Nobody else can read the store, its log, index or lock; a file left open to all is closed."""
        path = Path(temporary_path(self))
        path.touch(mode=0o666)
        path.chmod(0o666)
        old = os.umask(0)
        self.addCleanup(os.umask, old)
        self.store = self.started(path=str(path))
        self.result_of(self.store.read(users))
        modes = {
            file.name[len(path.name) :]: file.stat().st_mode & 0o777
            for file in path.parent.glob(path.name + "*")
        }
        self.assertEqual(modes, {"": 0o600, "-wal": 0o600, "-shm": 0o600, ".lock": 0o600})

    def test_commits_are_synced(self) -> None:
        """The writing connection is set to survive a loss of power."""
        connection = connect(temporary_path(self), 1.0)
        self.addCleanup(connection.close)
        settings = [
            connection.execute(f"pragma {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
        self.assertEqual(settings, ["wal", 2, 1])

    def test_a_second_store_on_the_same_file(self) -> None:
        """A second server or tool is told which process has the store."""
        second = self.make_store(self.clock, path=self.store.describe()["location"])
        told = self.refused(second.start(), OperatorError)
        self.assertIn(f"in use by process {os.getpid()}", told)
        self.result_of(self.store.stop())
        self.result_of(second.start())
        self.result_of(second.stop())

    def test_a_holder_that_has_not_told_its_process_yet(self) -> None:
        """Between taking the lock and writing its number a process is unknown, but there."""
        location = self.store.describe()["location"]
        Path(f"{location}.lock").write_bytes(b"")
        with self.assertRaises(StoreInUse) as caught:
            self.result_of(self.make_store(self.clock, path=location).start())
        self.assertIsNone(caught.exception.pid)
        self.assertIn("in use by another process", str(caught.exception))

    def test_another_program_holds_the_database(self) -> None:
        """While another program writes to the file, posts are refused; afterwards they are accepted."""
        self.store = self.started(busy_seconds=0.01)
        other = sqlite3.connect(self.store.describe()["location"], isolation_level=None)
        self.addCleanup(other.close)
        other.execute("begin immediate")
        self.refused(self.store.append([new_message()]), StoreUnavailable)
        self.assertEqual(self.history(), [])
        other.execute("rollback")
        self.assertEqual(self.result_of(self.store.append([new_message()]))[0].chat_id, 1)

    def test_a_folder_that_is_not_there(self) -> None:
        """A wrong path is told in one line that names it."""
        path = os.path.join(temporary_path(self), "chat.db")
        self.assertIn(path, self.refused(self.make_store(self.clock, path=path).start(), OperatorError))

    def test_a_file_that_is_no_database(self) -> None:
        """A file of another kind is refused and left as it was."""
        path = Path(temporary_path(self))
        path.write_bytes(b"not a database at all, but a letter" * 100)
        self.refused(self.make_store(self.clock, path=str(path)).start(), StoreUnavailable)
        self.assertTrue(path.read_bytes().startswith(b"not a database"))

    def test_threads_need_a_reactor_and_a_file(self) -> None:
        """A store in memory cannot be shared by threads."""
        for path, threads in ((":memory:", ThreadPump()), (temporary_path(self), None)):
            with self.assertRaises(OurError):
                SqliteStore(
                    path, clock=self.clock, server_name="x", random=counting_random(), threads=threads
                )


async def everything_written(txn: ITransaction) -> tuple[list[Any], list[Any]]:
    return (
        await txn.query(
            "select server_sequence, event_id, room_id, chat_id, time_ticks from outbox order by 1"
        ),
        await txn.query("select room_id, chat_id from messages order by 1, 2"),
    )


class AnyTraffic(SynchronousTestCase):
    """Properties of appending, whatever is sent."""

    @settings(max_examples=50, deadline=None)
    @given(
        st.lists(
            st.one_of(
                st.just("change"),
                st.integers(-1000, 1000),
                st.lists(st.tuples(st.integers(1, 3), st.booleans(), st.booleans()), min_size=1, max_size=6),
            ),
            max_size=20,
        )
    )
    def test_numbers_times_and_events(self, steps: list[Any]) -> None:
        """Per room: numbers without gaps, times that never fall; per server: one event a post, in order."""
        clock = Clock()
        clock.rightNow = 1e9
        store = memory_store(clock)
        self.successResultOf(store.write(make_rooms, 1, 2, 3))
        revision, kept = 0, []
        for step in steps:
            if step == "change":
                revision = self.successResultOf(store.write(raise_revision))
            elif isinstance(step, int):
                clock.rightNow += step
            else:
                sent = [
                    new_message(room, logged=logged, revision=revision - (stale and revision > 0))
                    for room, logged, stale in step
                ]
                outcomes = self.successResultOf(store.append(sent))
                kept += [(m, o) for m, o in zip(sent, outcomes, strict=True) if isinstance(o, Appended)]
                self.assertEqual(
                    [m.revision == revision for m in sent], [isinstance(o, Appended) for o in outcomes]
                )
        for _, group in groupby(
            sorted(kept, key=lambda pair: pair[0].room_id), key=lambda pair: pair[0].room_id
        ):
            found = [outcome for _, outcome in group]
            self.assertEqual([outcome.chat_id for outcome in found], list(range(1, len(found) + 1)))
            self.assertEqual([outcome.ts for outcome in found], sorted(outcome.ts for outcome in found))

        events, history = self.successResultOf(store.read(everything_written))
        self.assertEqual(
            events, [(n, m.message_id, m.room_id, o.chat_id, o.ts) for n, (m, o) in enumerate(kept, 1)]
        )
        self.assertEqual(history, sorted((m.room_id, o.chat_id) for m, o in kept if m.logged))
        self.successResultOf(store.stop())
