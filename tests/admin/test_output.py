"""`pchat.admin.output`: names of users on an operator's terminal."""

from __future__ import annotations

import io
import json
import sys

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from twisted.trial.unittest import SynchronousTestCase

from pchat.admin.output import print_details, print_json, print_table, printable
from tests.admin.support import Terminal


class OutputCase(SynchronousTestCase):
    """Standard output in memory."""

    def setUp(self) -> None:
        self.out = io.StringIO()
        self.patch(sys, "stdout", self.out)


class PrintableTests(SynchronousTestCase):
    """`printable`: what no terminal acts on."""

    def test_escapes(self) -> None:
        """Control characters, direction overrides and lone surrogates are shown, not sent."""
        self.assertEqual(r"a\x1b[31m\nb\u202ec\ud800", printable("a\x1b[31m\nb\u202ec\ud800"))

    def test_kept(self) -> None:
        """Every script stays readable, with its joiners."""
        for text in ("Ünïcode שלום 会議", "👩\u200d💻", "می\u200cخواهم", "[bold]x[/bold] :smile:"):
            self.assertEqual(text, printable(text))

    @given(st.text())
    def test_one_line(self, text: str) -> None:
        """Whatever a text holds, it becomes one line that can be encoded."""
        shown = printable(text)
        self.assertEqual(shown, "".join(shown.splitlines()))
        self.assertEqual(shown, shown.encode("utf-8").decode("utf-8"))
        self.assertNotIn("\x1b", shown)


class TableTests(OutputCase):
    """Tables and details."""

    def test_markup(self) -> None:
        """Names that look like markup or emoji codes are printed as they are."""
        print_table(("Name",), [("[bold]x[/bold] [/] :smile:",)], "none")
        self.assertEqual("Name\n[bold]x[/bold] [/] :smile:\n", self.out.getvalue())

    def test_not_cut(self) -> None:
        """In a file or pipe nothing is wrapped, cut or coloured, however long."""
        long = "会" * 256
        print_table(("Name", "Other"), [(long, "y" * 256)], "none")
        line = self.out.getvalue().splitlines()[1]
        self.assertEqual(f"{long}  {'y' * 256}", line)
        self.assertNotIn("\x1b", self.out.getvalue())

    def test_terminal(self) -> None:
        """On a terminal headings stand out, and what a name holds still does nothing."""
        out = Terminal()
        self.patch(sys, "stdout", out)
        self.patch(Console, "_environ", {"TERM": "xterm-256color"})
        print_table(("Name",), [("a\x1b[31mb",)], "none")
        self.assertIn("\x1b[1m", out.getvalue())
        self.assertIn(r"a\x1b[31mb", out.getvalue())
        self.assertNotIn("\x1b[31m", out.getvalue())

    def test_whole(self) -> None:
        """On a narrow terminal an address is never wrapped, whatever else must be; nothing is cut."""
        out = Terminal()
        self.patch(sys, "stdout", out)
        self.patch(Console, "_environ", {"TERM": "xterm", "COLUMNS": "40"})
        address = "sip:" + "a" * 60 + "@example.com"
        print_table(("URI", "Words"), [(address, "one two three four five")], "none", whole=("URI",))
        self.assertIn(address, out.getvalue())
        words = "".join(out.getvalue().replace(address, "").split())
        self.assertTrue(words.endswith("onetwothreefourfive"), words)
        print_details({"uri": address, "note": "x " * 50})
        self.assertEqual(2, out.getvalue().count(address))

    def test_times(self) -> None:
        """Persons read times to the second."""
        print_details({"created_on": "2026-01-02T03:04:05.678Z", "name": "a.5Z"})
        self.assertEqual("created on  2026-01-02T03:04:05Z\nname        a.5Z\n", self.out.getvalue())

    def test_empty(self) -> None:
        """A table without rows is a sentence."""
        print_table(("Name",), [], "There are none.")
        self.assertEqual("There are none.\n", self.out.getvalue())

    def test_details(self) -> None:
        """Attributes stand one a line; lists of principals one a line each, switches as yes and no."""
        print_details(
            {
                "display_name": "[red]",
                "enabled": True,
                "addin": None,
                "members": [{"uri": "sip:a@b", "kind": "user"}, {"uri": "b", "kind": "domain"}],
                "managers": [],
            }
        )
        self.assertEqual(
            [
                "display name  [red]",
                "enabled       yes",
                "addin         -",
                "members       sip:a@b",
                "              b",
                "managers      -",
            ],
            self.out.getvalue().splitlines(),
        )


class JsonTests(SynchronousTestCase):
    """`print_json`: what programs read."""

    def printed(self, value: object, encoding: str) -> str:
        """Print to a stream of an encoding."""
        stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        self.patch(sys, "stdout", stream)
        print_json(value)
        stream.flush()
        return stream.buffer.getvalue().decode(encoding)

    def test_encodings(self) -> None:
        """Unicode is written as it is where it can be, and escaped where it cannot."""
        value = {"name": "会議 \u202e \x1b"}
        for encoding in ("utf-8", "ascii", "latin-1"):
            text = self.printed(value, encoding)
            self.assertEqual(value, json.loads(text))
            self.assertNotIn("\x1b", text)
        self.assertIn("会議", self.printed(value, "utf-8"))

    def test_nothing_for_the_terminal(self) -> None:
        """What a terminal obeys, or what hides what is read, is escaped; a program reads the same."""
        for character in "\x1b\x7f\x9b\u202e\u2066\u2028\ufeff\ud800\U000e0041\n":
            value = {f"name{character}": f"{character}[31mred"}
            text = self.printed(value, "utf-8")
            self.assertEqual(value, json.loads(text))
            self.assertNotIn(character, text.replace("\n", ""))
        self.assertIn("नमस्ते\u200d", self.printed(["नमस्ते\u200d"], "utf-8"))
