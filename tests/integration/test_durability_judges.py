"""The judges of durability can say no: traces and stores made up with each fault that they must find."""

from __future__ import annotations

from pathlib import Path

import attrs
from twisted.trial.unittest import SynchronousTestCase

from tests.integration import syscall_trace
from tests.integration.durable_client import Ledger
from tests.integration.durable_record import Happened, Record, Said, problems

PAGE_SIZE = 4_096


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
