"""Whoever saw 200 finds the message, whatever happens to the server: traced, killed, stopped, short of disk.

``PCHAT_KILLS`` tells how often the server is killed (``make soak``: 100), ``PCHAT_SEED`` repeats the random
delays of a run. When the kill lands is left to chance on purpose: every wait but that one is for an event.
"""

from __future__ import annotations

import contextlib  # trial takes a module's `suppress` for its own
import os
import random
import resource
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from unittest import SkipTest

import attrs
import pytest
from twisted.trial.unittest import SynchronousTestCase

from bench.load.accounts import make_crowd
from pchat import ticks
from tests.integration import syscall_trace
from tests.integration.durable_client import Crowd, Ledger, Place, Talker
from tests.integration.durable_record import Happened, Record, Said, problems
from tests.integration.server_process import ServerProcess

KILLS = int(os.environ.get("PCHAT_KILLS", "10"))
SEED = int(os.environ.get("PCHAT_SEED", "0")) or random.SystemRandom().getrandbits(32)
SOAK = "PCHAT_KILLS" in os.environ

pytestmark = pytest.mark.timeout(120 + 20 * KILLS)

TALKERS = 4
WINDOW = 16
"""Posts that each client keeps on their way."""
LONGEST_LIFE = 0.8
"""Seconds from the first connection to the kill at most."""
SHORTEST_LIFE = 0.1
"""One kill in five comes within so many seconds: while clients sign in, join, read or begin to talk."""
STOP_PROMISE = 10.0
"""Seconds from SIGTERM to the end. Source: docs/operating.md."""
TRACE_SECONDS = 10.0
HISTORY = 999
"""The most that one question for history is answered with, by default."""
LONG_TEXT = 6_000
"""Longer than a page of the database."""
PAGE_SIZE = 4_096


class Story(SynchronousTestCase):
    """A server of its own with users who may talk in one room."""

    def setUp(self) -> None:
        self.random = random.Random(SEED)
        self.ledger = Ledger()
        self.number = 0
        self.run_name = "first"

    def make_server(
        self, transport: str = "tls", under: Sequence[str] = (), data: Path | None = None
    ) -> None:
        """Make a server; it does not run yet."""
        self.server = ServerProcess(under=under)
        self.addCleanup(self.server.discard)
        self.server.configure("auth", schemes=["none"])
        self.server.configure("sip.listeners", transport=transport)
        if data is not None:
            self.server.configure("server", data=str(data))
        self.database = (data or self.server.directory / "data") / "pchat.sqlite"
        self.authority = self.server.authority if transport == "tls" else None
        self.people = make_crowd(self.server.config, TALKERS)

    def next_text(self) -> str:
        """Make up a text that nobody has said yet; now and then a long one."""
        self.number += 1
        filling = "x" * (LONG_TEXT if self.random.random() < 0.02 else self.random.randrange(100))
        return f"{self.run_name}.{self.number:07d}.{filling}"

    def talker(self, user: str) -> Talker:
        """Connect a user."""
        pool = f"sip:GC-1-PersistentChatService-1@{self.server.domain}"
        place = Place(self.server.sip, self.authority, pool, self.people.room)
        return Talker(user, place, self.ledger, self.next_text)

    def crowd(self) -> Crowd:
        """Make an empty crowd that is closed in the end."""
        crowd = Crowd(self.server.log_tail)
        self.addCleanup(crowd.close)
        return crowd

    def enter(self, users: Sequence[str]) -> Crowd:
        """Let users into the room of the running server."""
        crowd = self.crowd()
        crowd.enter(users, self.talker)
        self.assertEqual([talker.joined for talker in crowd.talkers], [True] * len(users))
        return crowd

    def talk(self, crowd: Crowd, more: int, window: int = WINDOW) -> None:
        """Talk until so many more posts are answered 200."""
        enough = len(self.ledger.promised) + more
        for talker in crowd.talkers:
            talker.talk(window)
        crowd.run_until(lambda: len(self.ledger.promised) >= enough)

    def fall_silent(self, crowd: Crowd) -> None:
        """Say no more, and wait for every answer."""
        for talker in crowd.talkers:
            talker.talk(0)
        crowd.run_until(lambda: not any(talker.outstanding for talker in crowd.talkers))

    def assert_kept(self, kills: Sequence[int] = ()) -> Record:
        """The store keeps every promise and holds nothing that it should not."""
        record = Record.read(self.database)
        self.assertEqual(problems(record, self.ledger, kills), [])
        return record


def missing_strace() -> str | None:
    """Tell why strace cannot be used here."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    tried = subprocess.run(
        [*syscall_trace.command(Path(os.devnull)), "true"], capture_output=True, text=True, check=False
    )
    return tried.stderr.strip() or f"status {tried.returncode}" if tried.returncode else None


def mark(text: str) -> str:
    """Return the beginning of a text, which no other has; a long text goes over several pages."""
    return text[: text.rindex(".") + 1]


class Traced(Story):
    """What the server asks of its system, in the order it does."""

    def setUp(self) -> None:
        super().setUp()
        reason = missing_strace()
        if reason and os.environ.get("CI") == "true":
            raise RuntimeError(f"CI needs strace of requirements-system.txt: {reason}")
        if reason:
            raise SkipTest(reason)

    def make_traced(self, transport: str) -> None:
        """Make a server under strace and start it."""
        trace = Path(self.mktemp()).absolute()
        trace.parent.mkdir(parents=True, exist_ok=True)
        self.trace = trace
        self.make_server(transport, under=syscall_trace.command(trace))
        self.server.start()

    def stop_and_read(self) -> list[str]:
        """Stop the server and return the whole trace, once it tells the server's end."""
        end = f"{self.server.pid} +++ exited with 0 +++"
        self.server.stop()
        deadline = time.monotonic() + TRACE_SECONDS
        while end not in (text := self.trace.read_text()).replace("  ", " "):
            self.assertLess(time.monotonic(), deadline, "strace does not tell the end of the server")
        return text.splitlines()

    def log_of(self, calls: Sequence[syscall_trace.Call]) -> syscall_trace.Log:
        """Pick the calls about the write-ahead log."""
        return syscall_trace.Log(calls, self.database.with_name("pchat.sqlite-wal"), PAGE_SIZE)

    def broken(self, calls: list[syscall_trace.Call]) -> list[str]:
        """Tell the promises that a trace shows to be made too early."""
        return syscall_trace.broken_promises(self.log_of(calls), calls, self.posts())

    def posts(self) -> dict[tuple[str, int], str]:
        """Marks of the posts that were answered 200, by request."""
        requests = self.ledger.requests
        return {key: mark(text) for key, text in requests.items() if text in self.ledger.promised}

    def test_synced_before_answered(self) -> None:
        """The data of every commit is on disk before the 200 of any of its posts begins to leave."""
        self.make_traced("tcp")
        crowd = self.enter(self.people.users)
        self.talk(crowd, more=300)
        self.fall_silent(crowd)
        calls = syscall_trace.read_trace(self.stop_and_read())
        posts = len(self.posts())
        self.assertGreaterEqual(posts, 300)
        self.assertEqual(self.broken(calls), [])
        self.assert_kept()

        # The same trace, doctored, must not pass: without syncs, and with every sync too late to be of use.
        others = [call for call in calls if not call.is_sync]
        self.assertEqual(len(self.broken(others)), posts)
        over = calls[-1].begin + 1
        late = [attrs.evolve(call, begin=over, end=over + 1) if call.is_sync else call for call in calls]
        self.assertEqual(len(self.broken(late)), posts)

    def test_synced_before_answered_over_tls(self) -> None:
        """Over TLS nothing at all goes to a waiting author between his post and the sync of its commit."""
        self.make_traced("tls")
        crowd = self.enter(self.people.users[:1])
        [talker] = crowd.talkers
        texts: list[str] = []
        marks: list[str] = []
        for _ in range(40):
            talker.talk(1)
            talker.window = 0
            [text] = talker.outstanding.values()
            texts.append(text)
            marks.append(mark(text))
            crowd.run_until(lambda: not talker.outstanding and len(self.ledger.seen) == len(texts))
        peer = talker.channel.local
        # the last post's part of the trace must end before the server says good-bye
        talker.channel.socket.close()
        calls = syscall_trace.read_trace(self.stop_and_read())
        self.assertEqual(self.ledger.promised, set(texts))
        self.assertEqual(syscall_trace.early_writes(self.log_of(calls), calls, marks, peer), [])
        self.assertEqual(syscall_trace.promises(calls), {}, "nothing is readable over TLS")

        # Without its syncs the same trace must not pass.
        kept = [call for call in calls if not call.is_sync]
        self.assertEqual(len(syscall_trace.early_writes(self.log_of(kept), kept, marks, peer)), len(texts))


class TraceReading(SynchronousTestCase):
    """The judge of traces, on traces made up for it."""

    WAL = Path("/d/s-wal")
    KEY = ("c1", 7)

    @staticmethod
    def hexed(data: bytes) -> str:
        """Write as strace -xx does."""
        return "".join(f"\\x{byte:02x}" for byte in data)

    def wal(self, frame: int, page: bytes, *, commit: bool) -> list[str]:
        """A frame, its header and its page by a call each."""
        target, offset = self.hexed(b"/d/s-wal"), 32 + frame * (24 + PAGE_SIZE)
        header, page = bytes([0, 0, 0, 1, 0, 0, 0, commit]) + bytes(16), page.ljust(PAGE_SIZE, b"\0")
        return [
            f'2 pwrite64(5<{target}>, "{self.hexed(header)}", 24, {offset}) = 24',
            f'2 pwrite64(5<{target}>, "{self.hexed(page)}", {PAGE_SIZE}, {offset + 24}) = {PAGE_SIZE}',
        ]

    def sync(self, path: bytes = b"/d/s-wal", result: str = "0") -> list[str]:
        """A whole sync."""
        return [f"2 fdatasync(5<{self.hexed(path)}>) = {result}"]

    def answer(self) -> list[str]:
        """The 200, after other bytes of the same write."""
        ok = b"SIP/2.0 200 OK\r\nCall-ID: c1\r\nCSeq: 7 INFO\r\nContent-Length: 0\r\n\r\n"
        data = self.hexed(b"SIP/2.0 200 OK\r\nCall-ID: c0\r\nCSeq: 1 INFO\r\n\r\n" + ok)
        return [f'1 sendto(9<TCP:[127.0.0.1:5->127.0.0.1:6]>, "{data}", 9, 0, NULL, 0) = 9']

    def verdict(self, *parts: list[str]) -> list[str]:
        """Judge a trace about one post with the text ``hello``."""
        calls = syscall_trace.read_trace([line for part in parts for line in part])
        log = syscall_trace.Log(calls, self.WAL, PAGE_SIZE)
        return syscall_trace.broken_promises(log, calls, {self.KEY: "hello"})

    def test_good_orders(self) -> None:
        """Text, commit, sync, answer; whichever frame holds the text."""
        first, last = self.wal(0, b"..hello", commit=False), self.wal(1, b"index", commit=True)
        self.assertEqual(self.verdict(first, last, self.sync(), self.answer()), [])
        alone = self.wal(0, b"..hello", commit=True)
        self.assertEqual(self.verdict(alone, self.sync(), self.answer()), [])
        [unfinished] = [line.replace(") = 0", " <unfinished ...>") for line in self.sync()]
        resumed = "2 <... fdatasync resumed>) = 0"
        self.assertEqual(self.verdict(alone, [unfinished], [resumed], self.answer()), [])

    def test_bad_orders(self) -> None:
        """No sync, a failed one, one of another file, one too early, one not finished: each is found."""
        first, last = self.wal(0, b"..hello", commit=False), self.wal(1, b"index", commit=True)
        [unfinished] = [line.replace(") = 0", " <unfinished ...>") for line in self.sync()]
        resumed = "2 <... fdatasync resumed>) = 0"
        bad = [
            (first, last, self.answer()),
            (first, last, self.answer(), self.sync()),
            (self.sync(), first, last, self.answer()),
            (first, self.sync(), last, self.answer()),
            (first, last, self.sync(b"/d/s"), self.answer()),
            (first, last, self.sync(result="-1 EIO (Input/output error)"), self.answer()),
            (first, last, [unfinished], self.answer(), [resumed]),
        ]
        for parts in bad:
            self.assertEqual([text[:17] for text in self.verdict(*parts)], ["hello: committed "])
        self.assertIn("no whole transaction", self.verdict(first, self.sync(), self.answer())[0])
        self.assertIn("not in the trace", self.verdict(first, last, self.sync())[0])

    def test_unknown_lines(self) -> None:
        """What is not understood, or was cut, is no proof of anything."""
        for line in ("?", '1 write(3<\\x2f>, "\\x61"..., 4096) = 4096', '1 write(3, "\\x61", 1) = 1'):
            self.assertRaises(ValueError, syscall_trace.read_trace, [line])


class RecordReading(SynchronousTestCase):
    """The judge of stores, on stores made up for it."""

    def setUp(self) -> None:
        self.ledger = Ledger(
            sent={"one": "sip:a", "two": "sip:a", "lost": "sip:a", "no": "sip:a"},
            promised={"one", "two"},
            refused={"no": 503},
            seen={1: "one"},
            pages=[[(1, "one"), (2, "two")]],
        )
        self.good = Record(
            messages=[Said(1, 20, "sip:a", "one"), Said(2, 20, "sip:a", "two")],
            events=[
                Happened(1, "join", 10, "sip:a", 0, None, None),
                Happened(2, "post", 20, "sip:a", 1, "one", None),
                Happened(3, "part", 25, "sip:a", 0, None, "crashed"),
                Happened(4, "join", 40, "sip:a", 0, None, None),
                Happened(5, "post", 20, "sip:a", 2, "two", None),
            ],
            last_chat_id=2,
            last_sequence=5,
            present=["sip:a"],
            intact="ok",
        )

    def faults(self, **changes: object) -> list[str]:
        """Judge the good record with something changed."""
        return problems(attrs.evolve(self.good, **changes), self.ledger, kills=[30])  # type: ignore[arg-type] # any field

    def test_good(self) -> None:
        """A store that keeps its promises is not blamed."""
        self.assertEqual(self.faults(), [])

    def test_messages(self) -> None:
        """A message lost, doubled, changed, refused, misnumbered or out of time is found."""
        one, two = self.good.messages
        for messages, words in (
            ([one], "answered 200 and kept 0 times: two"),
            ([one, two, attrs.evolve(two, chat_id=3)], "kept 2 times: two"),
            ([one, two, attrs.evolve(two, chat_id=3, text="no")], "answered 503 and kept all the same: no"),
            ([one, attrs.evolve(two, author="sip:b")], "not said by sip:b: two"),
            ([one, attrs.evolve(two, chat_id=3)], "chat ids with gaps"),
            ([one, attrs.evolve(two, ts=19)], "times of messages go back"),
            ([attrs.evolve(one, text="lost"), two], "delivered as 1 and not kept so: one"),
            ([one, attrs.evolve(two, text="lost")], "read in history as 2 and not kept so: two"),
            ([one, attrs.evolve(two, text="lost")], "events of posts do not tell"),
        ):
            self.assertIn(words, "\n".join(self.faults(messages=messages)))

    def test_events(self) -> None:
        """An event lost, doubled or mistimed, a join without its part, is found."""
        join, post, part, again, last = self.good.events
        for events, words in (
            ([join, post, part, again], "events of posts do not tell"),
            ([join, post, part, again, last, attrs.evolve(last, sequence=6)], "events of posts do not tell"),
            ([join, post, part, again, attrs.evolve(last, sequence=6)], "events with gaps"),
            ([join, post, attrs.evolve(part, time=31), again, last], "left after the server died"),
            ([join, post, attrs.evolve(part, time=9), again, last], "left before he joined"),
            ([join, post, attrs.evolve(part, time=35, reason="left"), again, last], "and left later"),
            ([join, post, again, last], "joined twice"),
            ([post, part, again, last], "without having joined"),
            ([join, post, part, last], "by events [] are in the room"),
        ):
            self.assertIn(words, "\n".join(self.faults(events=events)))
        self.assertIn("damaged", self.faults(intact="row 1 missing")[0])


class Killed(Story):
    """A server that is killed with posts on their way, again and again."""

    def test_killed_at_random_instants(self) -> None:
        """Every post that was answered 200 is in history and in the archive, once, after any kill."""
        print(f"PCHAT_SEED={SEED} repeats the delays", flush=True)
        self.make_server()
        kills = []
        for number in range(KILLS):
            self.run_name = f"run{number:03d}"
            promised, unanswered = len(self.ledger.promised), len(self.ledger.unanswered)
            delay = self.live_and_die()
            kills.append(ticks.from_unix(time.time()))
            if SOAK:
                answered = len(self.ledger.promised) - promised
                open_ends = len(self.ledger.unanswered) - unanswered
                print(f"kill {number + 1} after {delay:.3f} s: {answered} answered, {open_ends} on their way")
        self.run_name = "last"
        self.server.start()
        crowd = self.enter(self.people.users)
        self.talk(crowd, more=100)
        self.fall_silent(crowd)
        crowd.talkers[0].start(crowd.talkers[0].read_history(HISTORY))
        crowd.finish(crowd.talkers)
        record = self.assert_kept(kills)
        self.assertEqual(record.present, sorted(f"sip:{user}" for user in self.people.users))
        last = [(said.chat_id, said.text) for said in record.messages[-HISTORY:]]
        self.assertEqual(self.ledger.pages[-1], last, "history tells the last messages as they are kept")
        self.server.stop()
        ended = self.assert_kept(kills)
        self.assertEqual(ended.present, [], "who is in the room when the server stops leaves it")
        self.assert_worth_it(record)

    def live_and_die(self) -> float:
        """Run the server under load until it is killed; return after how many seconds that was."""
        self.server.start()
        delay = self.random.uniform(0, SHORTEST_LIFE if self.random.random() < 0.2 else LONGEST_LIFE)
        killer = threading.Timer(delay, os.kill, (self.server.pid, signal.SIGKILL))
        crowd = self.crowd()
        killer.start()
        try:
            crowd.enter(self.people.users, self.talker)
            reader = crowd.talkers[0] if crowd.talkers else None
            if reader is not None and reader.joined:
                reader.start(reader.read_history(HISTORY))
            for talker in crowd.talkers:
                if talker is not reader:
                    talker.talk(WINDOW)
            crowd.finish(crowd.talkers)
            if reader is not None:
                reader.talk(WINDOW)
            crowd.run_out()
        finally:
            killer.join()
            self.server.kill()
        return delay

    def assert_worth_it(self, record: Record) -> None:
        """The kills fell into traffic, not into silence."""
        texts = {said.text for said in record.messages}
        kept = len(self.ledger.unanswered & texts)
        print(
            f"{KILLS} kills: {len(self.ledger.promised)} posts answered 200, all kept once; "
            f"{len(self.ledger.unanswered)} never answered, {kept} of them kept once; "
            f"{len(self.ledger.pages)} pages of history read, "
            f"{sum(event.reason == 'crashed' for event in record.events)} part events of crashed runs",
            flush=True,
        )
        self.assertGreater(len(self.ledger.promised), 100)
        self.assertGreater(
            len(self.ledger.unanswered), KILLS, "the server was killed with posts on their way"
        )


class Stopped(Story):
    """A server that is asked to stop with posts on their way."""

    def test_sigterm_under_load(self) -> None:
        """It ends with status 0 in time; each post was kept and answered 200, or refused, or cut off."""
        self.make_server()
        self.server.start()
        crowd = self.enter(self.people.users)
        self.talk(crowd, more=200)
        began = time.monotonic()
        self.server.ask_to_stop()
        crowd.run_out()
        self.server.wait_stopped()
        self.assertLess(time.monotonic() - began, STOP_PROMISE)
        self.assertLessEqual(set(self.ledger.refused.values()), {503})
        record = self.assert_kept()
        # An orderly end answers what it has kept.
        kept = {said.text for said in record.messages}
        self.assertEqual(kept - self.ledger.promised, set())
        self.assertEqual(record.present, [])
        self.assertNotIn("crashed", {event.reason for event in record.events})


class DiskFull(Story):
    """A server whose disk fills up while it runs, and has space again later."""

    def go_through(self, fill: Callable[[], None], free: Callable[[], None]) -> None:
        """Talk before, while and after the disk is full."""
        self.server.start()
        crowd = self.enter(self.people.users)
        self.talk(crowd, more=100)
        fill()
        self.talk_until_refused(crowd)
        self.assertGreaterEqual(len(self.ledger.refused), TALKERS)
        free()
        self.fall_silent(crowd)
        self.talk(crowd, more=100)
        self.fall_silent(crowd)
        self.assertEqual(set(self.ledger.refused.values()), {503})
        self.assert_kept()
        self.server.stop()
        self.assert_kept()

    def talk_until_refused(self, crowd: Crowd) -> None:
        """Let everybody talk until each was refused something.

        Posts of a commit whose outcome is in doubt are answered when the store can tell; a user all of whose
        posts are in doubt says one more.
        """
        for talker in crowd.talkers:
            talker.talk(len(talker.outstanding) + WINDOW)
        deadline = time.monotonic() + 30
        while any(talker.window for talker in crowd.talkers):
            self.assertLess(time.monotonic(), deadline, "posts are neither refused nor kept")
            if not crowd.turn(0.2):
                for talker in crowd.talkers:
                    if talker.window:
                        talker.talk(len(talker.outstanding) + 1)

    def test_files_may_not_grow(self) -> None:
        """When the system lets no file grow, posts are refused with 503; afterwards it goes on."""
        self.make_server()

        def limit(size: int) -> None:
            _, most = resource.prlimit(self.server.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(self.server.pid, resource.RLIMIT_FSIZE, (size, most))

        def fill() -> None:
            log = self.database.with_name("pchat.sqlite-wal")
            limit(log.stat().st_size + 64 * 1024)

        self.go_through(fill, lambda: limit(resource.RLIM_INFINITY))

    def test_no_space_left(self) -> None:
        """When the disk is full, posts are refused with 503; with space again it goes on."""
        disk = Path(self.mktemp()).absolute()
        disk.mkdir(parents=True)
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=8m", "pchat-test", str(disk)],
            capture_output=True,
            text=True,
            check=False,
        )
        if mounted.returncode:
            raise SkipTest(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", str(disk)], check=True)
        self.make_server(data=disk)
        ballast = disk / "ballast"

        def fill() -> None:
            with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
                while file.write(bytes(PAGE_SIZE)):
                    pass

        self.go_through(fill, ballast.unlink)
