"""`pchat.ops.logs`: what a line of the log holds, and what it never holds."""

from __future__ import annotations

import io
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import Logger, LogLevel, LogPublisher
from twisted.python import log as older_log
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from pchat.ops.logs import FIELD_LENGTH, REMOVED, TRACEBACK_LENGTH, JsonLines, LogStream, describe, render


class LinesCase(SynchronousTestCase):
    """A log that is kept in memory."""

    def setUp(self) -> None:
        self.out = io.StringIO()
        self.observe("info")

    def observe(self, level: str) -> None:
        observer = JsonLines(LogStream(None, self.out), level)
        self.log = Logger("pchat.test", observer=LogPublisher(observer))

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.getvalue().splitlines()]

    def line(self) -> dict[str, Any]:
        (line,) = self.lines()
        return line


class HousekeepingTests(LinesCase):
    """What twisted says of its own ports and factories."""

    def say(self) -> None:
        # As twisted.internet.tcp and twisted.internet.protocol write them.
        for text in (
            "BoundedSite (TLS) starting on 8443",
            "SipFactory starting on 5061",
            "BoundedSite starting on '/srv/run/admin.sock'",
            "(TCP Port 5061 Closed)",
            "(UNIX Port '/srv/run/admin.sock' Closed)",
        ):
            self.log.info("{log_text}", log_text=text)
        self.log.info("Starting factory {factory!r}", factory=self)
        self.log.info("Stopping factory {factory!r}", factory=self)

    def test_silent(self) -> None:
        """Nobody is told but who debugs; what we or a peer say is never taken for it."""
        self.say()
        self.assertEqual("", self.out.getvalue())
        self.log.info("{peer} starting on 5061", peer="x")
        self.log.warn("{log_text}", log_text="(TCP Port 5061 Closed)")
        self.assertEqual(2, len(self.lines()))
        self.observe("debug")
        self.say()
        self.assertEqual(["debug"] * 7, [line["level"] for line in self.lines()[2:]])


class FieldTests(LinesCase):
    """An event is one line with its fields."""

    def test_fields(self) -> None:
        """Each field of an event can be searched for by its own name, and reads well in the message."""
        self.log.info("{peer}: registered {user}", peer="192.0.2.7:4", user="sip:a@b", seconds=1.5, count=3)
        line = self.line()
        self.assertEqual("192.0.2.7:4: registered sip:a@b", line["message"])
        self.assertEqual(
            ("info", "pchat.test", "192.0.2.7:4", 1.5, 3),
            (line["level"], line["logger"], line["peer"], line["seconds"], line["count"]),
        )
        self.assertRegex(line["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")
        self.assertFalse([name for name in line if name.startswith("log_")])

    def test_own_name_taken(self) -> None:
        """A field cannot pass for the line's own time or level."""
        self.assertEqual("x", describe({"level": "x"})["level_"])

    def test_odd_values(self) -> None:
        """Bytes, infinite numbers and objects become text; one that cannot be shown costs no line."""

        class Broken:
            def __str__(self) -> str:
                raise RuntimeError

        self.log.info(
            "odd", raw=b"\xff\n", number=float("inf"), nothing=None, broken=Broken(), way=Path("/a")
        )
        line = self.line()
        self.assertEqual(
            ("\\xff\n", "inf", None, "/a"), (line["raw"], line["number"], line["nothing"], line["way"])
        )
        self.assertIn("cannot be shown", line["broken"])

    def test_lists(self) -> None:
        """A short list stays one; a long or a nested one becomes text."""
        self.log.info("x", short=("a", 1), nested=[[1]], long=[0] * 100_000)
        line = self.line()
        self.assertEqual((["a", 1], "[[1]]"), (line["short"], line["nested"]))
        self.assertEqual(FIELD_LENGTH, len(line["long"]))

    def test_traceback(self) -> None:
        """A failure is one line; its traceback is a field."""
        try:
            raise ValueError("bad\nvalue")
        except ValueError:
            self.log.failure("{peer}: it broke", peer="192.0.2.7:4")
        line = self.line()
        self.assertEqual("critical", line["level"])
        self.assertEqual("192.0.2.7:4: it broke", line["message"])
        self.assertEqual("ValueError: bad\nvalue", line["error"])
        self.assertIn("test_logs.py", line["traceback"])

    def test_older_logging(self) -> None:
        """What twisted's older logging passes on is a line without its clutter, a traceback a field."""
        publisher = older_log.LogPublisher(
            publishPublisher=LogPublisher(JsonLines(LogStream(None, self.out)))
        )
        publisher.msg("Removing stale pidfile")
        line = self.line()
        self.assertEqual("Removing stale pidfile", line["message"])
        self.assertLessEqual(set(line), {"time", "level", "logger", "message"})
        publisher.msg(failure=Failure(ValueError("oh")), why="Failed to unlink", isError=1)  # log.err's event
        line = self.lines()[-1]
        self.assertEqual(("critical", "Failed to unlink"), (line["level"], line["message"]))
        self.assertEqual("ValueError: oh", line["error"])
        self.assertIn("traceback", line)

    def test_bounded(self) -> None:
        """A peer cannot fill the disk through its own name."""
        failure = Failure(ValueError("y" * 1_000_000))
        line = describe({"log_format": "{peer}", "peer": "x" * 1_000_000, "log_failure": failure})
        self.assertLess(len(render(line)), 4 * FIELD_LENGTH + TRACEBACK_LENGTH)

    @given(st.text())
    def test_one_line_of_ascii(self, name: str) -> None:
        """Whatever a peer calls itself, it cannot begin a line of its own or move a terminal's cursor."""
        text = render(describe({"log_format": "{peer}", "peer": name}))
        self.assertEqual(1, text.count("\n"))
        self.assertTrue(text.isascii())
        self.assertTrue(text[:-1].isprintable())
        self.assertEqual(json.loads(text)["message"][: len(name)], json.loads(text)["peer"])


class SecretTests(LinesCase):
    """Passwords, keys and what people write to each other."""

    def test_by_name(self) -> None:
        """A field whose name says that it is a secret is written without its value, also in the message."""
        self.log.info(
            "{user} {password} {nt_hash}", user="a", password="hunter2", nt_hash=b"h4sh", cookie="c"
        )
        text = self.out.getvalue()
        self.assertNotIn("hunter2", text)
        self.assertNotIn("h4sh", text)
        self.assertEqual(f"a {REMOVED} {REMOVED}", self.line()["message"])
        self.assertEqual(REMOVED, self.line()["cookie"])

    def test_in_text(self) -> None:
        """Proofs of identity are removed from longer texts, such as a header that is quoted in an error."""
        for text in (
            'bad header: Authorization: NTLM qop="auth", response="PROOF"',
            'bad gssapi-data="PROOF==", opaque="1"',
            'bad rspauth="0123456789abcdef0123"',
            "login with password=PROOF&x=1",
            "header Bearer PROOF",
        ):
            self.log.warn("{problem}", problem=text)
            try:
                raise ValueError(text)
            except ValueError:
                self.log.failure("it broke")
        self.assertEqual(10, len(self.lines()))
        self.assertNotIn("PROOF", self.out.getvalue())
        self.assertNotIn("0123456789abcdef", self.out.getvalue())
        self.assertIn("x=1", self.out.getvalue())

    def test_chat(self) -> None:
        """What people write to each other is in the log only at debug level."""
        self.log.info("posted {chat}", chat="our merger", rtf="{our merger}")
        self.assertNotIn("merger", self.out.getvalue())
        self.observe("debug")
        self.log.debug("posted {chat}", chat="our merger")
        self.assertIn("our merger", self.out.getvalue())

    def test_level(self) -> None:
        """Less important events than the configured level are not written."""
        self.observe("warn")
        for level in (LogLevel.debug, LogLevel.info, LogLevel.warn, LogLevel.error, LogLevel.critical):
            self.log.emit(level, "x")
        self.assertEqual(["warn", "error", "critical"], [line["level"] for line in self.lines()])


class FileTests(SynchronousTestCase):
    """A log file of our own."""

    def setUp(self) -> None:
        made = tempfile.TemporaryDirectory(prefix="pchat-")
        self.addCleanup(made.cleanup)
        self.home = Path(made.name)

    def test_reopened(self) -> None:
        """After rotation the old file keeps the old lines and a new one gets the new lines."""
        path = self.home / "log"
        stream = LogStream(path)
        stream.write("old\n")
        path.rename(path.with_suffix(".1"))
        stream.reopen()
        stream.write("new\n")
        self.assertEqual("old\n", path.with_suffix(".1").read_text())
        self.assertEqual("new\n", path.read_text())
        self.assertEqual(0o600, path.stat().st_mode & 0o777)
        stream.reopen()
        stream.write("more\n")
        self.assertEqual("new\nmore\n", path.read_text())

    def test_cannot_reopen(self) -> None:
        """If the new file cannot be opened, the old one goes on."""
        stream = LogStream(self.home / "log")
        (self.home / "log").rename(self.home / "log.1")
        (self.home / "log").mkdir()
        self.assertRaises(OSError, stream.reopen)
        stream.write("still here\n")
        self.assertEqual("still here\n", (self.home / "log.1").read_text())

    def test_full_disk(self) -> None:
        """A full disk costs lines, not the server; how many is told when there is room again."""

        class Full(io.StringIO):
            full = True

            def write(self, text: str) -> int:
                if self.full:
                    raise OSError(28, os.strerror(28))
                return super().write(text)

        out = Full()
        stream = LogStream(None, out)
        stream.write("one\n")
        stream.write("two\n")
        out.full = False
        stream.write("three\n")
        lost, three = out.getvalue().splitlines()
        self.assertIn("2 log lines were lost", json.loads(lost)["message"])
        self.assertEqual("three", three)
