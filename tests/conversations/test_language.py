"""The language of the scripts itself: what must fail, fails, and tells why."""

from __future__ import annotations

import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.conversations.comparing import text_matches, xml_difference
from tests.conversations.conversation import play
from tests.conversations.script import read_script

STAGE = """Two people in a room

There are users Alice and Bob.
There is a category Demo for everybody.
There is an open room Lobby in Demo.
Alice and Bob have joined Lobby.
"""


class Failing(SynchronousTestCase):
    """Scripts that do not tell what happens."""

    def play(self, story: str) -> None:
        """Play a story with two people in a room."""
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, "story.txt")
            path.write_text(STAGE + story, encoding="utf-8")
            play(read_script(path))

    def failure(self, story: str) -> str:
        """Play a story that must fail, and return what it is told."""
        return str(self.assertRaises(AssertionError, self.play, story))

    def test_untold_message_at_the_end(self) -> None:
        """A message that the script does not tell fails it."""
        told = self.failure(
            'Alice posts "x" in Lobby.\nAlice receives 200.\nAlice receives 1 more message.\n'
        )
        self.assertIn("at its end", told)
        self.assertIn("Bob got 1 message(s) that the script does not expect", told)

    def test_untold_message_before_the_next_event(self) -> None:
        """It fails it where the story goes on, not only at the end."""
        told = self.failure('Alice posts "x" in Lobby.\n5 seconds pass.\n')
        self.assertIn("story.txt, line 8: 5 seconds pass", told)

    def test_missing_message(self) -> None:
        """A message that does not come fails the script."""
        self.assertIn("Bob should receive INFO, but got nothing", self.failure("Bob receives INFO.\n"))

    def test_other_message(self) -> None:
        """A message that differs is shown as a difference of lines."""
        told = self.failure(
            'Alice posts "x" in Lobby.\nAlice receives 200.\nAlice receives INFO:\n'
            "    <grpchat author='sip:bob@example.com' ...><chat>y</chat></grpchat>\n"
        )
        self.assertIn("-    <chat>y</chat>", told)
        self.assertIn("+    <chat>x</chat>", told)
        self.assertIn('author="sip:alice@example.com"', told)

    def test_other_status(self) -> None:
        """Another status fails the script and shows the whole answer."""
        told = self.failure('Alice posts "" in Lobby.\nAlice receives 200.\n')
        self.assertIn("SIP/2.0 400 The message is empty", told)

    def test_untold_disconnection(self) -> None:
        """The end of a connection must be told as well."""
        told = self.failure("The administrator disables Bob.\nAlice receives 1 more message.\n")
        self.assertIn("Bob was disconnected", told)

    def test_missing_disconnection(self) -> None:
        """Somebody who is still connected is not disconnected."""
        self.assertIn("Bob is still connected", self.failure("Bob is disconnected.\n"))

    def test_unknown_sentence(self) -> None:
        """A sentence that nobody understands fails the script."""
        self.assertIn("nobody understands", self.failure("Alice dances.\n"))

    def test_unknown_name(self) -> None:
        """A name in braces that means nothing fails the script."""
        self.assertIn("{Garden} means nothing", self.failure('Alice posts "x" in Garden.\n'))

    def test_unknown_header(self) -> None:
        """A header that is not there, or is there against the script, fails it."""
        self.assertIn(
            "- Retry-After: 3", self.failure("Alice sends UPDATE.\nAlice receives 200:\n    Retry-After: 3\n")
        )
        told = self.failure("Alice sends UPDATE.\nAlice receives 200:\n    Call-ID: (none)\n")
        self.assertIn("there should be no Call-ID", told)

    def test_compliance_events(self) -> None:
        """The archive must hold exactly what is told."""
        self.assertIn("-join carol Lobby", self.failure("Compliance has recorded:\n    join carol Lobby\n"))


class Comparing(SynchronousTestCase):
    """When two documents are the same."""

    def same(self, expected: str, actual: str) -> bool:
        """Tell whether a document is as expected."""
        return xml_difference(expected, actual.encode()) == ""

    def test_meaning_counts(self) -> None:
        """Prefixes, order of attributes and blanks between elements mean nothing."""
        self.assertTrue(
            self.same('<a xmlns="u"><b x="1" y="2"/></a>', '<p:a xmlns:p="u">\n <p:b y="2" x="1"/></p:a>')
        )
        self.assertFalse(self.same("<a/>", '<a xmlns="u"/>'))
        self.assertFalse(self.same("<a>x</a>", "<a> x</a>"))

    def test_attributes(self) -> None:
        """All attributes must be told unless there are dots for more."""
        self.assertFalse(self.same('<a x="1"/>', '<a x="1" y="2"/>'))
        self.assertTrue(self.same('<a x="1" .../>', '<a x="1" y="2"/>'))
        self.assertFalse(self.same('<a x="1" z="3" .../>', '<a x="1" y="2"/>'))
        self.assertTrue(self.same('<a x="1...3"/>', '<a x="1223"/>'))

    def test_children(self) -> None:
        """So must all children, in their order."""
        self.assertFalse(self.same("<a><b/><c/></a>", "<a><c/><b/></a>"))
        self.assertFalse(self.same("<a><b/></a>", "<a><b/><b/></a>"))
        self.assertTrue(self.same("<a>...<c/></a>", "<a><b/><b/><c/></a>"))
        self.assertFalse(self.same("<a>...<c/></a>", "<a><b/><c/><b/></a>"))
        self.assertTrue(self.same("<a>...</a>", "<a>text<b/></a>"))
        self.assertFalse(self.same("<a><b/></a>", "<a>text<b/></a>"))

    def test_a_difference_is_never_empty(self) -> None:
        """Whatever differs, something is told."""
        for expected, actual in (
            ("<a/>", '<a xmlns="u"/>'),
            ("<a><b/></a>", "<a>t<b/></a>"),
            ("<a/>", "<b/>"),
        ):
            self.assertNotEqual(xml_difference(expected, actual.encode()), "")

    def test_text(self) -> None:
        """Dots in a text stand for anything, also for nothing; the rest is meant as it is."""
        self.assertTrue(text_matches("a...c", "abbc") and text_matches("a...c", "ac"))
        self.assertFalse(text_matches("a.c", "abc") or text_matches("a...", "ba"))
