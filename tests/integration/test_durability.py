"""Whoever saw 200 finds the message, whatever happens to the server: traced, killed, stopped, short of disk.

``PCHAT_KILLS`` tells how often the server is killed (``make soak``: 100), ``PCHAT_SEED`` repeats the random
delays of a run. When the kill lands is left to chance on purpose: every wait but that one is for an event.
"""

from __future__ import annotations

import contextlib  # trial takes a module's `suppress` for its own
import os
import re
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

from pchat import ticks
from tests.integration import syscall_trace
from tests.integration.durable_client import Crowd
from tests.integration.durable_record import Record
from tests.integration.durable_story import SEED, TALKERS, WINDOW, Story

KILLS = int(os.environ.get("PCHAT_KILLS", "10"))
SOAK = "PCHAT_KILLS" in os.environ

pytestmark = pytest.mark.timeout(120 + 20 * KILLS)

LONGEST_LIFE = 0.8
"""Seconds from the first connection to the kill at most."""
SHORTEST_LIFE = 0.1
"""One kill in five comes within so many seconds: while clients sign in, join, read or begin to talk."""
STOP_PROMISE = 10.0
"""Seconds from SIGTERM to the end. Source: docs/operating.md."""
TRACE_SECONDS = 10.0
HISTORY = 999
"""The most that one question for history is answered with, by default."""
PAGE_SIZE = 4_096


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
        self.trace = self.directory() / "trace"
        self.make_server(transport, under=syscall_trace.command(self.trace))
        self.server.start()

    def stop_and_read(self) -> list[str]:
        """Stop the server and return the whole trace, once it tells the server's end."""
        # strace pads short process ids with blanks.
        end = re.compile(rf"^{self.server.pid} +\+\+\+ exited with 0 \+\+\+", re.MULTILINE)
        self.server.stop()
        deadline = time.monotonic() + TRACE_SECONDS
        while not end.search(text := self.trace.read_text()):
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
        disk = self.directory()
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
