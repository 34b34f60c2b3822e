"""The arguments of preferences and read markers, and how both are told."""

from __future__ import annotations

import base64

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from twisted.trial.unittest import SynchronousTestCase

from pchat.xccos.arguments import RoomKey
from pchat.xccos.codes import ResponseCode
from pchat.xccos.limits import CommandLimits
from pchat.xccos.person_commands import NewPreference, PreferenceWanted, ReadMarks
from pchat.xccos.person_writer import preference, read_state
from pchat.xccos.reading import read_command
from tests.xccos.samples import GUID, OTHER_GUID, ROOM, command
from tests.xccos.test_commands import ArgumentsCase, data

LIMITS = CommandLimits()
OTHER_ROOM = f"ma-chan://example.com/{OTHER_GUID}"


class PreferenceTests(ArgumentsCase):
    """``getpref`` and ``setpref``."""

    def test_as_captured(self) -> None:
        """Both are understood as docs/spec/xccos.md 3.11 shows them."""
        self.assert_read(
            "getpref",
            '<pref label="kedzie.GroupChannels" seqid="71" createdefault="true"/>',
            PreferenceWanted("kedzie.GroupChannels", 71, True),
        )
        self.assert_read(
            "setpref",
            '<pref label="kedzie.GroupChannels" seqid="71" createdefault="false" content="QUJD"/>',
            NewPreference("kedzie.GroupChannels", 71, "QUJD"),
        )

    def test_what_may_be_left_out(self) -> None:
        """A client that tells no version has none, and asks for no default by saying nothing."""
        self.assert_read("getpref", '<pref label="a"/>', PreferenceWanted("a", 0, False))
        self.assert_read("setpref", '<pref label="a" content=""/>', NewPreference("a", 0, ""))

    def test_refused(self) -> None:
        """Missing, doubled, out of range or malformed: an invalid argument."""
        for name, more in (("getpref", ""), ("setpref", 'content=""')):
            self.assert_refused(
                name,
                "",
                f"<pref {more}/>",
                f'<pref label="" {more}/>',
                f'<pref label=" " {more}/>',
                f'<pref label="{"a" * 256}" {more}/>',
                f'<pref label="a" {more}/><pref label="b" {more}/>',
                f'<pref label="a" seqid="-1" {more}/>',
                f'<pref label="a" seqid="x" {more}/>',
                f'<pref label="a" seqid="{2**31}" {more}/>',
                f'<pref label="a" createdefault="perhaps" {more}/>',
            )
        self.assert_refused(
            "setpref",
            '<pref label="a"/>',
            '<pref label="a" content="A"/>',
            '<pref label="a" content="AA=A"/>',
            '<pref label="a" content="AA-_"/>',
            '<pref label="a" content="\u00c4AAA"/>',
        )

    def test_longest(self) -> None:
        """A label has 255 characters at most, a content the bytes of the limit; more is over the limit."""
        label = "\u00e4" * 255
        self.assert_read("getpref", f'<pref label="{label}"/>', PreferenceWanted(label, 0, False))
        largest = base64.b64encode(bytes(LIMITS.preference_bytes)).decode()
        self.assert_read("setpref", f'<pref label="a" content="{largest}"/>', NewPreference("a", 0, largest))
        longer = base64.b64encode(bytes(LIMITS.preference_bytes + 1)).decode()
        self.assert_refused(
            "setpref", f'<pref label="a" content="{longer}"/>', code=ResponseCode.ERROR_LIMIT_EXCEEDED
        )

    @given(st.binary(max_size=200), st.integers(1, 80))
    def test_content_in_lines(self, content: bytes, width: int) -> None:
        """Whatever the content, and however its base64 was cut into lines, it is kept without blanks."""
        whole = base64.b64encode(content).decode()
        lines = "&#10;".join(whole[start : start + width] for start in range(0, len(whole), width))
        read = read_command(command("setpref", data(f'<pref label="a" content="{lines}"/>')))
        self.assertEqual(read, NewPreference("a", 0, whole))

    def test_told(self) -> None:
        """A version alone, or with the content, which may be empty."""
        self.assertEqual(preference('a"b', 0), '<pref label="a&quot;b" seqid="0"/>')
        self.assertEqual(preference("a", 3, ""), '<pref label="a" seqid="3" content=""/>')
        self.assertEqual(preference("a", 3, "QUJD"), '<pref label="a" seqid="3" content="QUJD"/>')


class ReadMarkTests(ArgumentsCase):
    """``setread``."""

    def test_rooms(self) -> None:
        """Each room has its number, in the order given; zero is nothing read."""
        marks = ReadMarks({RoomKey("example.com", OTHER_GUID): 7, RoomKey("example.com", GUID): 0})
        self.assert_read(
            "setread",
            f'<chanib uri="{OTHER_ROOM}"><read chatid="7"/></chanib>'
            f'<chanib uri="{ROOM}"><read chatid="0"/></chanib>',
            marks,
        )

    def test_refused(self) -> None:
        """Nothing to mark, no number, two numbers, a room twice, whatever its case: an invalid argument."""
        read = '<read chatid="1"/>'
        self.assert_refused(
            "setread",
            "",
            f'<chanib uri="{ROOM}"/>',
            f'<chanib uri="{ROOM}"><read/></chanib>',
            f'<chanib uri="{ROOM}">{read}{read}</chanib>',
            f'<chanib uri="{ROOM}"><read chatid="-1"/></chanib>',
            f'<chanib uri="{ROOM}"><read chatid="{2**63}"/></chanib>',
            f'<chanib uri="{ROOM}"><read chatid="one"/></chanib>',
            f"<chanib>{read}</chanib>",
            f'<chanib uri="http://example.com/">{read}</chanib>',
            f'<chanib uri="{ROOM}">{read}</chanib><chanib uri="{ROOM.upper()}">{read}</chanib>',
        )

    def test_as_many_as_allowed(self) -> None:
        """As many rooms as in a bulk join."""
        rooms = [
            f'<chanib uri="ma-chan://example.com/{n}"><read chatid="1"/></chanib>'
            for n in range(LIMITS.rooms + 1)
        ]
        read = read_command(command("setread", data("".join(rooms[:-1]))))
        assert isinstance(read, ReadMarks)
        self.assertEqual(len(read.marks), LIMITS.rooms)
        self.assert_refused("setread", "".join(rooms), code=ResponseCode.ERROR_LIMIT_EXCEEDED)


class ReadStateTests(SynchronousTestCase):
    """How a user stands in a room, told in its block."""

    def test_told(self) -> None:
        """Both numbers, or the marker alone when nobody could count."""
        both = etree.fromstring(f"<chanib>{read_state(7, 3)}</chanib>")
        self.assertEqual(
            [(info.get("id"), info.text) for info in both],
            [("urn:pchat:info:read", "7"), ("urn:pchat:info:unread", "3")],
        )
        self.assertEqual(read_state(0, None), '<info id="urn:pchat:info:read">0</info>')
