"""The embedded store: SQLite with one writing thread, and reading threads beside it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, Protocol

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from pchat.errors import OurError, OutcomeUnknown, StoreUnavailable
from pchat.interfaces import Body, IStore, Random
from pchat.store.connection import Connect, connect
from pchat.store.jobs import AppendJob, BodyJob, Job
from pchat.store.lock import StoreLock
from pchat.store.messages import AppendOutcome, NewMessage
from pchat.store.reader import ReaderConnection, SnapshotReader
from pchat.store.writer import GroupWriter

#: Messages and bodies that may wait for the writer. Half a second of work at the speed that bench/append.py
#: shows; more would only make clients give up before their answer comes.
QUEUE_LIMIT = 4096
#: Reads that may wait: joins and histories are delayed rather than refused, each holds little.
READ_LIMIT = 4096
#: Jobs in one commit; the first of them waits for the last.
GROUP_LIMIT = 512
#: Two long searches may run without holding up a join by more than one of them.
READER_COUNT = 2
#: Seconds to wait for a lock that another program, such as a backup, holds on the file.
BUSY_SECONDS = 5.0
#: Seconds between attempts to learn the outcome of a commit: at first, and at most.
SETTLE_FIRST, SETTLE_LAST = 0.05, 5.0


class IThreads(Protocol):
    """What of a reactor a store with threads needs."""

    def callFromThread(self, f: Callable[..., Any], *args: Any) -> object:
        """Call something in the reactor's thread, in the order asked for."""


@implementer(IStore)
class SqliteStore:
    """A chat store in an SQLite file.

    Args:
        path: The file; ``:memory:`` only with ``inline``.
        clock: Tells the time of messages.
        server_name: Name of this server, one of a pool.
        random: Source of unpredictable bytes.
        threads: The reactor; not needed with ``inline``.
        inline: Run everything at once in the calling thread: for tools while no server runs, and for tests.
        domain: The SIP domain that the store must belong to, kept at the first start; None does not ask.
        record_events: Whether compliance events are written.
        busy_seconds: How long to wait for another process's lock on the file.
        queue_limit: How many messages and bodies may wait.
        connect: Opens a connection; tests give one that fails.
    """

    log = Logger()

    # How a store begins.
    _open = False
    _stopping: Deferred[None] | None = None
    _threads_left = _waiting = _reading = 0

    def __init__(
        self,
        path: str | Path,
        *,
        clock: IReactorTime,
        server_name: str,
        random: Random,
        threads: IThreads | None = None,
        inline: bool = False,
        domain: str | None = None,
        record_events: bool = True,
        busy_seconds: float = BUSY_SECONDS,
        queue_limit: int = QUEUE_LIMIT,
        connect: Connect = connect,
    ) -> None:
        self._path = str(path)
        in_memory = self._path == ":memory:"
        if not inline and (threads is None or in_memory):
            raise OurError("a store with threads needs a reactor and a file")
        self._threads = None if inline else threads
        self._lock = None if in_memory else StoreLock(Path(self._path))
        self._open_reader = partial(connect, self._path, busy_seconds)
        self._queue_limit = queue_limit
        self._writer = GroupWriter(
            self._path,
            clock=clock,
            server_name=server_name,
            domain=domain,
            record_events=record_events,
            busy_seconds=busy_seconds,
            connect=connect,
        )
        self._inline_reader = SnapshotReader(self._writer.usable_connection, self._writer.close, shared=True)
        self._writes: SimpleQueue[Job | None] = SimpleQueue()
        self._reads: SimpleQueue[BodyJob | None] = SimpleQueue()
        #: Names this run of the server in ``servers`` and ``participants``.
        self.run_id = random(16).hex()

    # Below here: in the caller's thread.

    @property
    def server_id(self) -> int:
        """Our row in ``servers``, once started."""
        return self._writer.server_id

    def start(self) -> Deferred[None]:
        """Open the store and apply missing schema steps.

        Raises:
            StoreInUse: Another process has it.
            OperatorError: It is too new, no chat store, of another domain, or not accessible.
            StoreUnavailable: The disk is in the way.
        """
        if self._threads is not None:
            started: Deferred[None] = Deferred()
            self._start_thread(self._write_loop, started)
            return started
        try:
            self._open_files()
        except Exception:
            return fail()
        self._open = True
        return succeed(None)

    def stop(self) -> Deferred[None]:
        """Finish what was accepted, then close."""
        if not self._open:
            return succeed(None)
        self._open = False
        if self._threads is None:
            self._close_files()
            return succeed(None)
        self._stopping = Deferred()
        for _ in range(READER_COUNT):
            self._reads.put(None)
        self._writes.put(None)
        return self._stopping

    def write(self, body: Body, *args: Any) -> Deferred[Any]:
        """Run a body in a transaction; fires after its commit, in commit order.

        Raises:
            StoreUnavailable: Certainly nothing was committed.
            OutcomeUnknown: The store stopped before it could learn whether the commit happened.
        """
        return self._submit(BodyJob(body, args))

    def append(self, messages: Sequence[NewMessage]) -> Deferred[list[AppendOutcome]]:
        """Commit messages with their chat ids and their compliance events, grouped with all that waits.

        Fires after the commit, in commit order; one outcome a message, in the order given. It never fires
        if the store stops before it could learn whether a doubtful commit happened.

        Raises:
            StoreUnavailable: Certainly none of them was committed.
        """
        if not messages:
            return succeed([])
        return self._submit(AppendJob(messages))

    def read(self, body: Body, *args: Any) -> Deferred[Any]:
        """Run a body that only reads, on a connection of its own; never waits for writers.

        Raises:
            StoreUnavailable: It could not be read.
        """
        job = BodyJob(body, args)
        if not self._open or self._reading >= READ_LIMIT:
            return fail(StoreUnavailable("too many reads wait" if self._open else "the store is not open"))
        self._reading += 1
        if self._threads is None:
            self._inline_reader.run(job)
            self._deliver_read(job)
        else:
            self._reads.put(job)
        return job.deferred

    def describe(self) -> dict[str, Any]:
        """Tell engine, location, schema version, what waits and what was done, for ``pchatctl status``."""
        return {
            "engine": "sqlite",
            "location": self._path,
            "schema_version": self._writer.version.version,
            "schema_compat": self._writer.version.compat,
            "waiting_writes": self._waiting,
            "waiting_reads": self._reading,
            "commits": self._writer.commits,
            "messages": self._writer.messages,
        }

    def _submit(self, job: Job) -> Deferred[Any]:
        if not self._open:
            return fail(StoreUnavailable("the store is not open"))
        if self._waiting + job.weight > self._queue_limit:
            return fail(StoreUnavailable("too much waits to be written"))
        self._waiting += job.weight
        if self._threads is not None:
            self._writes.put(job)
        else:
            if not self._writer.run([job]):
                self._writer.settle([job])
            self._deliver([job])
        return job.deferred

    def _deliver(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            self._waiting -= job.weight
            if not job.settled:
                # To say anything about a post would be a lie; whoever waits for a body is told.
                if isinstance(job, BodyJob):
                    job.deferred.errback(OutcomeUnknown("the store cannot tell whether the commit happened"))
            elif job.error is None:
                job.deferred.callback(job.result)
            else:
                job.deferred.errback(job.error)

    def _deliver_read(self, job: BodyJob) -> None:
        self._reading -= 1
        if job.error is None:
            job.deferred.callback(job.result)
        else:
            job.deferred.errback(job.error)

    def _start_thread(self, target: Callable[..., None], *args: Any) -> None:
        self._threads_left += 1
        threading.Thread(target=target, args=args, name=f"pchat store {target.__name__}", daemon=True).start()

    def _started(self, started: Deferred[None]) -> None:
        for _ in range(READER_COUNT):
            self._start_thread(self._read_loop)
        self._open = True
        started.callback(None)

    def _not_started(self, started: Deferred[None], failure: Failure) -> None:
        self._threads_left -= 1
        started.errback(failure)

    def _thread_ended(self) -> None:
        self._threads_left -= 1
        if self._threads_left == 0 and self._stopping is not None:
            self._stopping.callback(None)

    # Below here: in the threads. They share nothing with the caller's but the queues and the jobs.

    def _open_files(self) -> None:
        if self._lock is not None:
            self._lock.take()
        try:
            self._writer.open()
        except BaseException:
            self._release()
            raise

    def _close_files(self) -> None:
        self._writer.close()
        self._release()

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()

    def _call(self, function: Callable[..., None], *args: Any) -> None:
        if self._threads is not None:
            self._threads.callFromThread(function, *args)

    def _write_loop(self, started: Deferred[None]) -> None:
        try:
            self._open_files()
        except Exception:
            self._call(self._not_started, started, Failure())
            return
        self._call(self._started, started)
        more = True
        while more:
            jobs, more = self._take_group()
            if jobs:
                more = self._run_group(jobs) and more
        self._close_files()
        self._call(self._thread_ended)

    def _take_group(self) -> tuple[list[Job], bool]:
        """Wait for a job, and take all that wait behind it; False as well once the store is to stop."""
        jobs: list[Job] = []
        job = self._writes.get()
        for _ in range(min(self._writes.qsize(), GROUP_LIMIT - 1)):
            if job is None:
                break
            jobs.append(job)
            job = self._writes.get_nowait()
        if job is not None:
            jobs.append(job)
        elif jobs:
            self._writes.put(None)  # the end again, for whoever looks next; nothing comes after it
            return jobs, True
        return jobs, job is not None

    def _run_group(self, jobs: list[Job]) -> bool:
        """Run and deliver a group; False if the store is to stop."""
        more = True
        try:
            if not self._writer.run(jobs):
                more = self._settle(jobs)
        except BaseException:  # whatever it is: without this thread nobody is answered any more
            self.log.failure("a bug in the store's writer")
        self._call(self._deliver, jobs)
        return more

    def _settle(self, jobs: Sequence[Job]) -> bool:
        """Try until the outcome is known; False if the store is to stop before that."""
        pause = SETTLE_FIRST
        while not self._writer.settle(jobs):
            if not self._refuse_for(pause):
                return self._writer.settle(jobs) and False
            pause = min(2 * pause, SETTLE_LAST)
        return True

    def _refuse_for(self, seconds: float) -> bool:
        """For a while, refuse what comes; False if the store is to stop."""
        until = monotonic() + seconds
        while (left := until - monotonic()) > 0:
            try:
                job = self._writes.get(timeout=left)
            except Empty:
                return True
            if job is None:
                return False
            job.refuse(StoreUnavailable("an earlier commit is in doubt"))
            self._call(self._deliver, [job])
        return True

    def _read_loop(self) -> None:
        connection = ReaderConnection(self._open_reader)
        reader = SnapshotReader(connection.get, connection.close)
        while (job := self._reads.get()) is not None:
            reader.run(job)
            self._call(self._deliver_read, job)
        connection.close()
        self._call(self._thread_ended)
