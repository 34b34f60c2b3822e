"""The arguments of searches in history: every form, every default, and what is refused."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pchat import ticks
from pchat.errors import CommandRefused
from pchat.xccos import writer
from pchat.xccos.arguments import RoomKey
from pchat.xccos.codes import ResponseCode
from pchat.xccos.history_commands import HistoryWish
from pchat.xccos.limits import CommandLimits
from pchat.xccos.parser import Command
from pchat.xccos.reading import read_command
from tests.xccos.samples import GUID, OTHER_GUID, ROOM, command

OTHER_ROOM = f"ma-chan://example.com/{OTHER_GUID}"
KEY = RoomKey("example.com", GUID)
OTHER_KEY = RoomKey("example.com", OTHER_GUID)
CHANIB = f'<chanib uri="{ROOM}"/>'
OTHER_CHANIB = f'<chanib uri="{OTHER_ROOM}"/>'
PLAIN = HistoryWish((KEY,))
NOON = "2026-01-02T12:00:00Z"
LATER = "2026-01-02T12:00:01.5000000Z"


def asked(query: str | None = "", rooms: str = CHANIB, name: str = "bcbydate") -> Command:
    """Write a search; None for no query at all."""
    return command(name, f"<data>{rooms}{'' if query is None else f'<bcq>{query}</bcq>'}</data>")


class HistoryArgumentsCase(SynchronousTestCase):
    """Shared assertions."""

    def assert_read(self, query: str | None, name: str = "bcbydate", **expected: Any) -> None:
        """Expect a search to be understood as the plainest one, but for some arguments."""
        self.assertEqual(evolve(PLAIN, **expected), read_command(asked(query, name=name)), query)

    def assert_refused(
        self,
        query: str | None,
        rooms: str = CHANIB,
        name: str = "bcbydate",
        code: ResponseCode = ResponseCode.ERROR_INVALID_ARGUMENT,
    ) -> None:
        """Expect a search to be refused with a code."""
        error = self.assertRaises(CommandRefused, read_command, asked(query, rooms, name))
        self.assertIs(error.code, code, (query, rooms))


class ByDateTests(HistoryArgumentsCase):
    """``bcbydate``."""

    def test_defaults(self) -> None:
        """Without a word of what is sought it is everything, newest first, shown oldest first."""
        for query in (None, "", "<date/>", "<text/>", "<limit/>", "<order/>", '<date from="" to=" "/>'):
            self.assert_read(query)

    def test_rooms(self) -> None:
        """Several rooms are asked in their order, each once however it is written."""
        rooms = OTHER_CHANIB + CHANIB + OTHER_CHANIB.replace(OTHER_GUID, OTHER_GUID.upper())
        self.assertEqual(HistoryWish((OTHER_KEY, KEY)), read_command(asked(rooms=rooms)))
        self.assert_refused("", rooms="")
        self.assert_refused("", rooms="<chanib/>")
        self.assert_refused("", rooms='<chanib uri="ma-cat://example.com/x"/>')
        many = "".join(f'<chanib uri="ma-chan://example.com/{n}"/>' for n in range(1_001))
        self.assert_refused("", rooms=many, code=ResponseCode.ERROR_LIMIT_EXCEEDED)
        most = many.removesuffix('<chanib uri="ma-chan://example.com/1000"/>')
        wish = read_command(asked(rooms=most))
        assert isinstance(wish, HistoryWish)
        self.assertEqual(1_000, len(wish.rooms))

    def test_dates(self) -> None:
        """Both ends are optional and included; a date alone is that whole day."""
        noon, later = ticks.from_iso(NOON), ticks.from_iso(LATER)
        self.assert_read(f'<date from="{NOON}" to="{LATER}"/>', since=noon, until=later)
        self.assert_read(f'<date from="{NOON}"/>', since=noon)
        self.assert_read(f'<date to="{NOON}"/>', until=noon)
        self.assert_read(f'<date from="{NOON}" to="{NOON}"/>', since=noon, until=noon)
        self.assert_read('<date from="2026-01-02T14:00:00+02:00"/>', since=noon)
        day = ticks.from_iso("2026-01-02T00:00:00Z")
        self.assert_read(
            '<date from="2026-01-02" to="2026-01-02"/>', since=day, until=day + ticks.TICKS_PER_DAY - 1
        )

    def test_bad_dates(self) -> None:
        """What is no time, and an end before its beginning, are refused."""
        for attributes in (
            'from="yesterday"',
            'to="2026-13-01"',
            f'from="{"1" * 65}"',
            f'from="{LATER}" to="{NOON}"',
            'from="2026-01-03" to="2026-01-02"',
        ):
            self.assert_refused(f"<date {attributes}/>")
        self.assert_refused("<date/><date/>")

    def test_text(self) -> None:
        """All words in any case unless told otherwise; the text as written is stronger than all words."""
        self.assert_read("<text> two words </text>", words="two words")
        for attributes, match, case in (
            ('matchall="true"', "all", False),
            ('matchall="false"', "any", False),
            ('matchexact="true"', "exact", False),
            ('matchall="false" matchexact="1"', "exact", False),
            ('matchall="1" matchexact="false" matchcase="TRUE"', "all", True),
            ('matchall="0" matchcase="true"', "any", True),
        ):
            self.assert_read(f"<text {attributes}>x</text>", words="x", match=match, case=case)
        self.assert_read(f"<text>{'x' * 256}</text>", words="x" * 256)
        self.assert_refused(f"<text>{'x' * 257}</text>")
        self.assert_refused("<text>x</text><text>y</text>")
        for attributes in ('matchall="perhaps"', 'matchexact=""', 'matchcase="2"'):
            self.assert_refused(f"<text {attributes}>x</text>")

    def test_authors(self) -> None:
        """Any of some people, each once; a hundred at most, and each has an address."""
        authors = '<author uri="sip:alice@example.com"/><author uri=" sip:bob@example.com"/>'
        self.assert_read(authors, authors=("sip:alice@example.com", "sip:bob@example.com"))
        self.assert_read(2 * '<author uri="sip:alice@example.com"/>', authors=("sip:alice@example.com",))
        self.assert_refused("<author/>")
        self.assert_refused(f'<author uri="{"a" * 1_025}"/>')
        many = [f'<author uri="sip:u{number}@example.com"/>' for number in range(101)]
        self.assert_refused("".join(many), code=ResponseCode.ERROR_LIMIT_EXCEEDED)
        self.assert_read("".join(many[:100]), authors=tuple(f"sip:u{n}@example.com" for n in range(100)))

    def test_limit(self) -> None:
        """At least one message is wanted."""
        self.assert_read('<limit cnt="7"/>', count=7)
        self.assert_read(f'<limit cnt="{2**62}"/>', count=2**62)
        for count in ("0", "-1", "many", "9" * 30):
            self.assert_refused(f'<limit cnt="{count}"/>')
        self.assert_refused('<limit cnt="1"/><limit cnt="1"/>')

    def test_order(self) -> None:
        """Which hits are kept and how they are shown are two things."""
        self.assert_read('<order search="asc"/>', newest_first=False)
        self.assert_read('<order sort="DESC"/>', newest_on_top=True)
        self.assert_read('<order search="desc" sort="asc"/>')
        for attributes in ('search="up"', 'sort=""'):
            self.assert_refused(f"<order {attributes}/>")
        self.assert_refused("<order/><order/>")

    def test_doubled_query(self) -> None:
        """There is one query."""
        self.assertRaises(
            CommandRefused, read_command, command("bcbydate", f"<data>{CHANIB}<bcq/><bcq/></data>")
        )

    def test_what_is_unknown(self) -> None:
        """Unknown elements and attributes are passed over, in any order."""
        self.assert_read('<later/><limit cnt="3" x="y"/><msgid id="x"/>', count=3)


class ByMessageTests(HistoryArgumentsCase):
    """``bcbymsg``."""

    def test_from_a_message(self) -> None:
        """It begins at a chat id; dates beside it do not count, everything else does."""
        self.assert_read('<msgid id="5"/>', name="bcbymsg", from_id=5)
        self.assert_read(
            f'<msgid id="5"/><date from="{NOON}"/><limit cnt="2"/><order search="asc"/><text>x</text>',
            name="bcbymsg",
            from_id=5,
            count=2,
            newest_first=False,
            words="x",
        )

    def test_bad_message(self) -> None:
        """Without a number of a message it says nothing."""
        for query in (None, "", "<msgid/>", '<msgid id="0"/>', '<msgid id="-1"/>', '<msgid id="x"/>'):
            self.assert_refused(query, name="bcbymsg")
        self.assert_refused(f'<msgid id="{2**63}"/>', name="bcbymsg")
        self.assert_refused('<msgid id="1"/><msgid id="1"/>', name="bcbymsg")
        self.assert_refused('<msgid id="1"/><date from="x"/>', name="bcbymsg")


WORDS = ("true", "1", "5", "-1", "٣", "asc", "desc", ROOM, "sip:alice@example.com")
TIMES = (NOON, LATER, "2026-01-02", "9999-12-31", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59")
TEXTS = st.text(st.characters(categories=None), max_size=80) | st.sampled_from(WORDS + TIMES)
ELEMENTS = st.sampled_from(["date", "text", "author", "limit", "order", "msgid", "x"])
NAMES = ("from", "to", "matchall", "matchexact", "matchcase", "uri", "cnt", "search", "sort", "id")


@st.composite
def queries(draw: st.DrawFn) -> str:
    """Make a query of known elements with any text in any attribute."""
    written = []
    for name in draw(st.lists(ELEMENTS, max_size=6)):
        given_attributes = draw(st.dictionaries(st.sampled_from(NAMES), TEXTS, max_size=3))
        attributes = "".join(f' {key}="{writer.attribute(value)}"' for key, value in given_attributes.items())
        written.append(f"<{name}{attributes}>{writer.text(draw(TEXTS))}</{name}>")
    return "".join(written)


class AnyQueryTests(SynchronousTestCase):
    """Whatever is asked is understood within the limits, or refused by name."""

    @settings(deadline=None, max_examples=200)
    @given(queries(), st.sampled_from(["bcbydate", "bcbymsg"]))
    def test_any(self, query: str, name: str) -> None:
        """What is understood can be carried out as it stands."""
        try:
            wish = read_command(asked(query, name=name))
        except CommandRefused as error:
            self.assertIn(error.code.number, (400, 413))
            return
        assert isinstance(wish, HistoryWish)
        limits = CommandLimits()
        self.assertEqual((KEY,), wish.rooms)
        self.assertEqual(name == "bcbymsg", wish.from_id is not None)
        self.assertLessEqual(len(wish.words), limits.criteria_chars)
        self.assertLessEqual(len(wish.authors), limits.authors)
        if wish.since is not None and wish.until is not None:
            self.assertLessEqual(wish.since, wish.until)
        for value in (wish.since, wish.until, wish.from_id, wish.count):
            if value is not None:
                self.assertLess(abs(value), 2**63)
