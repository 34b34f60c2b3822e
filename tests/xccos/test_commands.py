"""The arguments of every command: the captured forms, lenient variants, and what is refused."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pchat.errors import CommandRefused
from pchat.xccos import (
    commands,
    history_commands,
    person_commands,
    room_commands,
    search_commands,
    topic_commands,
)
from pchat.xccos.arguments import RoomKey
from pchat.xccos.codes import ResponseCode
from pchat.xccos.commands import (
    Associations,
    Context,
    Join,
    Part,
    RequestUri,
    ServerInfo,
)
from pchat.xccos.limits import CommandLimits
from pchat.xccos.person_commands import InvitationsSince
from pchat.xccos.reading import READERS, read_command
from pchat.xccos.search_commands import RoomSearch
from tests.xccos.samples import GUID, OTHER_GUID, ROOM, command

KEY = RoomKey("example.com", GUID)
OTHER_KEY = RoomKey("example.com", OTHER_GUID)
CHANID = f'<chanid key="0" domain="example.com" value="{GUID}"/>'
OTHER_CHANID = f'<chanid key="1" domain="example.com" value="{OTHER_GUID}"/>'


def data(content: str) -> str:
    """Put elements into a ``data`` element."""
    return f"<data>{content}</data>"


class ArgumentsCase(SynchronousTestCase):
    """Shared assertions."""

    def assert_read(self, name: str, content: str, expected: object) -> None:
        """Expect a command to be understood."""
        self.assertEqual(read_command(command(name, data(content))), expected)

    def assert_refused(
        self, name: str, *contents: str, code: ResponseCode = ResponseCode.ERROR_INVALID_ARGUMENT
    ) -> None:
        """Expect every one of some arguments to be answered with a code."""
        for content in contents:
            error = self.assertRaises(CommandRefused, read_command, command(name, data(content)))
            self.assertIs(error.code, code, content)


class CapturedFormTests(ArgumentsCase):
    """What docs/spec/xccos.md chapter 3 shows, literally."""

    def test_all(self) -> None:
        """Every command of the sign-in and of the subscribe-and-post flow is understood as captured."""
        for name, content, expected in (
            ("requri", "", RequestUri()),
            ("getserverinfo", '<sib domain="example.com" infoType="123"/>', ServerInfo("example.com", 123)),
            (
                "getassociations",
                '<association domain="D" type="MEMBER" maxResults="500"/>',
                Associations("member", 500),
            ),
            (
                "getassociations",
                '<association domain="D" type="MANAGER" maxResults="500"/>',
                Associations("manager", 500),
            ),
            (
                "chansrch",
                '<qib qtype="BYNAME" criteria="" extended="false"/>',
                RoomSearch("BYNAME", "", False, None),
            ),
            ("join", CHANID, Join((KEY,))),
            ("bjoin", CHANID + OTHER_CHANID, Join((KEY, OTHER_KEY))),
            ("part", f'<chanib uri="{ROOM}"/>', Part(KEY)),
            ("bccontext", f'<chanib uri="{ROOM}"/><bcq><last cnt="25"/></bcq>', Context(KEY, 25)),
            ("getinv", '<inv inviteId="1" domain="example.com"/>', InvitationsSince(1)),
        ):
            self.assert_read(name, content, expected)

    def test_every_command_has_one_reader(self) -> None:
        """No family takes a command from another, and names are written as the parser gives them."""
        families = (
            commands,
            search_commands,
            room_commands,
            history_commands,
            person_commands,
            topic_commands,
        )
        self.assertEqual(sum(len(family.READERS) for family in families), len(READERS))
        self.assertEqual([name for name in READERS if name != name.lower()], [])

    def test_unknown_command(self) -> None:
        """An unknown command is answered by name as not supported."""
        self.assert_refused("teleport", "", code=ResponseCode.ERROR_MSG_NOT_SUPPORTED)

    def test_no_data_at_all(self) -> None:
        """Commands that need no argument do without ``data``; the others are refused, not crashed on."""
        self.assertEqual(read_command(command("requri", "")), RequestUri())
        self.assertEqual(read_command(command("getserverinfo", "")), ServerInfo("", None))
        self.assertEqual(read_command(command("getassociations", "")), Associations("member", None))
        for name in ("join", "bjoin", "part", "bccontext", "getinv", "chansrch"):
            error = self.assertRaises(CommandRefused, read_command, command(name, ""))
            self.assertIs(error.code, ResponseCode.ERROR_INVALID_ARGUMENT)


class RoomKeyTests(ArgumentsCase):
    """Rooms are found whatever the case a client writes them in."""

    def test_case(self) -> None:
        """Scheme, domain and GUID are compared without case."""
        self.assertEqual(RoomKey.parse_uri(f"MA-CHAN://Example.COM/{GUID.upper()}"), KEY)
        self.assert_read("part", f'<chanib uri="Ma-Chan://EXAMPLE.com/{GUID.upper()}"/>', Part(KEY))
        self.assert_read("join", f'<chanid domain="EXAMPLE.com" value="{GUID.upper()}"/>', Join((KEY,)))

    def test_older_numbers(self) -> None:
        """Rooms of older systems have a plain number."""
        self.assertEqual(RoomKey.parse_uri("ma-chan://litwareinc.com/300"), RoomKey("litwareinc.com", "300"))

    def test_not_a_room(self) -> None:
        """What is not ``ma-chan://domain/value`` names no room."""
        for uri in (
            "",
            GUID,
            "ma-chan://",
            "ma-chan:///x",
            "ma-chan://d",
            "ma-chan://d/",
            "ma-chan://d/x/y",
            "ma-chan://d/x?y",
            "ma-chan://d/x#y",
            "ma-chan://d/x y",
            "ma-chan://d/x\n",
            "ma-chan://d/<x>",
            'ma-chan://d/"x"',
            " ma-chan://d/x",
            "ma-cat://d/x",
            "sip:alice@example.com",
            "ma-chan://d/" + "x" * 129,
        ):
            error = self.assertRaises(CommandRefused, RoomKey.parse_uri, uri)
            self.assertIs(error.code, ResponseCode.ERROR_INVALID_ARGUMENT)


class JoinTests(ArgumentsCase):
    """``join`` and ``bjoin``."""

    def test_join_is_of_one_room(self) -> None:
        """``join`` without a room or with two is refused."""
        self.assert_refused("join", "", CHANID + OTHER_CHANID, CHANID + CHANID, f'<chanib uri="{ROOM}"/>')

    def test_bad_references(self) -> None:
        """A room reference without domain or value, or with one that cannot be, is refused."""
        bad = (
            '<chanid key="0"/>',
            f'<chanid value="{GUID}"/>',
            '<chanid domain="d"/>',
            '<chanid domain="" value="x"/>',
            '<chanid domain="d" value=""/>',
            '<chanid domain="d/e" value="x"/>',
            '<chanid domain="d" value="x y"/>',
            f'<chanid domain="d" value="{"x" * 300}"/>',
            f'<chanid domain="d" value="{"x" * 3000}"/>',
        )
        self.assert_refused("join", *bad)
        self.assert_refused("bjoin", *(CHANID + block for block in bad))

    def test_bulk(self) -> None:
        """A bulk join of one room is fine, a room named twice is joined once, none at all is refused."""
        self.assert_read("bjoin", CHANID, Join((KEY,)))
        again = f'<chanid domain="EXAMPLE.com" value="{OTHER_GUID.upper()}"/>'
        self.assert_read("bjoin", OTHER_CHANID + CHANID + again, Join((OTHER_KEY, KEY)))
        self.assert_refused("bjoin", "", "<chanid/>")

    def test_bulk_limit(self) -> None:
        """A bulk join of more rooms than allowed is refused as over the limit."""
        limits = CommandLimits(rooms=3)
        three = "".join(f'<chanid key="{n}" domain="d" value="{n}"/>' for n in range(3))
        found = read_command(command("bjoin", data(three)), limits)
        self.assertEqual(found, Join((RoomKey("d", "0"), RoomKey("d", "1"), RoomKey("d", "2"))))
        error = self.assertRaises(
            CommandRefused, read_command, command("bjoin", data(three + CHANID)), limits
        )
        self.assertIs(error.code, ResponseCode.ERROR_LIMIT_EXCEEDED)


class OtherCommandTests(ArgumentsCase):
    """The rest, one test a command."""

    def test_server_info(self) -> None:
        """``getserverinfo`` may leave everything out, but not write nonsense."""
        self.assert_read("getserverinfo", "", ServerInfo("", None))
        self.assert_read("getserverinfo", '<sib infoType=" 7 "/>', ServerInfo("", 7))
        self.assert_refused(
            "getserverinfo",
            '<sib infoType="all"/>',
            '<sib infoType=""/>',
            '<sib infoType="1"/><sib infoType="2"/>',
            f'<sib infoType="{"1" * 5000}"/>',
            f'<sib domain="{"d" * 2000}"/>',
        )

    def test_associations(self) -> None:
        """Any attribute of any element that speaks of managing asks for managed rooms; -1 results are all."""
        self.assert_read("getassociations", "", Associations("member", None))
        self.assert_read("getassociations", '<x role="rooms-I-manage"/>', Associations("manager", None))
        self.assert_read(
            "getassociations", '<x kind="Managers" maxResults="-1"/>', Associations("manager", None)
        )
        self.assert_read("getassociations", '<x kind="Managed" maxResults="1"/>', Associations("manager", 1))
        self.assert_refused(
            "getassociations",
            '<x maxResults="0"/>',
            '<x maxResults="-2"/>',
            '<x maxResults="many"/>',
            "<x/><x/>",
        )

    def test_part(self) -> None:
        """``part`` is of exactly one room."""
        one = f'<chanib uri="{ROOM}"/>'
        self.assert_read("part", f'<chanib new="x" uri="{ROOM}"><later/></chanib><later/>', Part(KEY))
        self.assert_refused("part", "", one + one, "<chanib/>", '<chanib uri="nonsense"/>', CHANID)

    def test_context(self) -> None:
        """``bccontext`` without a number leaves it to the server; a huge one too, which the server caps."""
        room = f'<chanib uri="{ROOM}"/>'
        for query in ("", "<bcq/>", "<bcq><last/></bcq>", "<bcq><other/></bcq>"):
            self.assert_read("bccontext", room + query, Context(KEY, None))
        self.assert_read("bccontext", f'<bcq><last cnt="999999999"/></bcq>{room}', Context(KEY, 999_999_999))
        self.assert_refused(
            "bccontext",
            "",
            '<bcq><last cnt="25"/></bcq>',
            room + room,
            *(
                f'{room}<bcq><last cnt="{count}"/></bcq>'
                for count in ("0", "-1", "", "x", "1.5", "²", "1e3", "٣")
            ),
            f'{room}<bcq><last cnt="1"/><last cnt="2"/></bcq>',
            f'{room}<bcq><last cnt="1"/></bcq><bcq/>',
        )

    def test_invitations(self) -> None:
        """``getinv`` tells the last number the client knows, which cannot be negative or missing."""
        self.assert_read("getinv", '<inv inviteId="0"/>', InvitationsSince(0))
        self.assert_read("getinv", f'<inv inviteId="{2**63 - 1}"/>', InvitationsSince(2**63 - 1))
        self.assert_refused("getinv", f'<inv inviteId="{2**63}"/>', f'<inv inviteId="{10**19}"/>')
        self.assert_refused(
            "getinv", "", "<inv/>", '<inv inviteId="-1"/>', '<inv inviteId="x"/>', '<inv inviteId="1"/>' * 2
        )

    def test_room_search(self) -> None:
        """``chansrch`` by name: missing parts have sensible meanings, unknown kinds are refused."""
        self.assert_read("chansrch", "<qib/>", RoomSearch("BYNAME", "", False, None))
        self.assert_read(
            "chansrch",
            '<qib qtype="byname" criteria="Lob &amp; bÿ" extended="True" maxResults="5"/>',
            RoomSearch("BYNAME", "Lob & bÿ", True, 5),
        )
        self.assert_read(
            "chansrch", '<qib maxResults="-1" extended="0"/>', RoomSearch("BYNAME", "", False, None)
        )
        self.assert_refused(
            "chansrch",
            "",
            "<qib/><qib/>",
            '<qib qtype="BYMAGIC"/>',
            '<qib extended="perhaps"/>',
            '<qib extended=""/>',
            '<qib maxResults="0"/>',
            f'<qib criteria="{"x" * 257}"/>',
            f'<qib qtype="{"x" * 70}"/>',
        )
