"""What we send: the literal forms of docs/spec/xccos.md, and well-formed whatever it holds."""

from __future__ import annotations

from lxml import etree
from twisted.trial.unittest import SynchronousTestCase

from pchat.xccos import writer
from pchat.xccos.codes import ResponseCode
from pchat.xccos.parser import NAMESPACE, Command
from pchat.xccos.writer import MessageBlock, RoomBlock, ServerBlock, UserBlock
from tests.xccos.samples import GUID, OTHER_GUID, ROOM

ROOT = (
    '<xccos xmlns:xsd="http://www.w3.org/2001/XMLSchema" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
    'ver="1" envid="7962449779256945056" xmlns="urn:parlano:xml:ns:xccos">'
)
ENVID = "7962449779256945056"
ALICE = UserBlock("sip:alice@example.com", "GUID-1", 5, "alice", "Alice", "alice@example.com")
MESSAGE = MessageBlock(
    ROOM, "sip:bob@example.com", "Bob", "2013-05-01T10:00:00.0000000Z", 12, False, "hello <world>"
)
LOBBY = RoomBlock(
    uri=ROOM,
    name="Lobby",
    description="Everyone",
    parent="ma-cat://example.com/CAT",
    behavior="NORMAL",
    visibility="OPEN",
    participants=3,
    filestore_uri="https://chat.example.com/PersistentChat/MGCWebService.asmx",
    created_by="sip:admin@example.com",
    created_on="2013-05-01T10:00:00.0000000Z",
    updated_by="sip:alice@example.com",
    updated_on="2013-05-02T10:00:00.0000000Z",
)
LOBBY_TEXT = (
    f'<chanib name="Lobby" description="Everyone" uri="{ROOM}" parent="ma-cat://example.com/CAT"'
    ' behavior="NORMAL" topic="" keywords=""'
    ' filestoreuri="https://chat.example.com/PersistentChat/MGCWebService.asmx" disabled="false"'
    ' siopid="" siopname="" siopurl="">'
    '<info id="urn:parlano:ma:info:ucnt">3</info>'
    '<info id="urn:parlano:ma:info:visibility">OPEN</info>'
    '<info id="urn:parlano:ma:info:visibilty">OPEN</info>'
    '<info id="urn:parlano:ma:info:filestoreuri">'
    "https://chat.example.com/PersistentChat/MGCWebService.asmx</info>"
    '<prop id="urn:parlano:ma:prop:logged">True</prop>'
    '<prop id="urn:parlano:ma:prop:invite">False</prop>'
    '<prop id="urn:parlano:ma:prop:filepost">False</prop>'
    '%s<audit createdby="sip:admin@example.com" createdon="2013-05-01T10:00:00.0000000Z"'
    ' updatedby="sip:alice@example.com" updatedon="2013-05-02T10:00:00.0000000Z"/></chanib>'
)


def tree(rendered: bytes | str) -> etree._Element:
    """Read what was written, by an independent parser with nothing relaxed."""
    return etree.fromstring(rendered)


class EnvelopeTests(SynchronousTestCase):
    """Replies and notices in the captured forms."""

    def test_reply(self) -> None:
        """A reply has the genuine root, the command's numbers, the code with its name, and data."""
        asked = Command("getfutok", "1", "139132352")
        data = '<token token="effab007" serveruri="https://server/PersistentChat/MGCWebService.asmx"/>'
        self.assertEqual(
            writer.reply(ENVID, asked, ResponseCode.SUCCESS_OK, data).decode(),
            f'{ROOT}<rpl id="rpl:getftok" seqid="1"><commandid seqid="1" envid="139132352"/>'
            f'<resp code="200">SUCCESS_OK</resp><data>{data}</data></rpl></xccos>',
        )

    def test_failure(self) -> None:
        """A failed command is answered under its own name, with the text that clients show."""
        self.assertEqual(
            writer.reply(ENVID, Command("join", "4", "9"), ResponseCode.ERROR_NO_SUCH_NODE).decode(),
            f'{ROOT}<rpl id="rpl:join" seqid="1"><commandid seqid="4" envid="9"/>'
            '<resp code="404">ERROR_NO_SUCH_NODE</resp><data/></rpl></xccos>',
        )

    def test_every_code(self) -> None:
        """Every response code is written as its number and its name."""
        for code in ResponseCode:
            found = tree(writer.reply("1", Command("join", "1", "1"), code)).find(f".//{{{NAMESPACE}}}resp")
            assert found is not None
            self.assertEqual((found.get("code"), found.text), (str(code.number), code.name))

    def test_join_notice(self) -> None:
        """``ntc:join`` names the user and, inside, mask, GUID and domain of each room."""
        data = writer.join_notice(
            [(ALICE, [(3456, GUID, "example.com"), (11652, OTHER_GUID, "example.com")])]
        )
        self.assertEqual(
            writer.notice(ENVID, "join", data).decode(),
            f'{ROOT}<ntc id="ntc:join" seqid="1"><data>'
            '<uib uri="sip:alice@example.com" guid="GUID-1" type="5" uname="alice" disname="Alice"'
            ' email="alice@example.com">'
            f'<aib key="3456" value="{GUID}" domain="example.com"/>'
            f'<aib key="11652" value="{OTHER_GUID}" domain="example.com"/></uib></data></ntc></xccos>',
        )

    def test_part_notice(self) -> None:
        """``ntc:part`` nests the user in the room."""
        data = writer.part_notice(ROOM, ["sip:alice@example.com"])
        self.assertEqual(
            writer.notice(ENVID, "part", data).decode(),
            f'{ROOT}<ntc id="ntc:part" seqid="1"><data><chanib uri="{ROOM}">'
            '<uib uri="sip:alice@example.com"/></chanib></data></ntc></xccos>',
        )

    def test_numbers_of_envelopes(self) -> None:
        """Our envelope numbers start anywhere, count up by one and always fit a signed 64-bit integer."""
        ids = writer.EnvelopeIds(lambda size: b"\xff" * size)
        first, second = int(ids.next()), int(ids.next())
        self.assertEqual((first, second), (2**62, 2**62 + 1))
        self.assertEqual(writer.EnvelopeIds(bytes).next(), "1")


class MessageTests(SynchronousTestCase):
    """Messages, live and in history."""

    def test_grpchat(self) -> None:
        """A live message is the element as captured, with our additions behind."""
        self.assertEqual(
            writer.grpchat(ENVID, MESSAGE).decode(),
            f'{ROOT}<grpchat id="grpchat" seqid="1" chanUri="{ROOM}" author="sip:bob@example.com"'
            ' ts="2013-05-01T10:00:00.0000000Z" authdisp="Bob" chatId="12" alert="false">'
            "<chat>hello &lt;world&gt;</chat></grpchat></xccos>",
        )

    def test_history_message(self) -> None:
        """A message of history differs by the element's name only."""
        alert = MessageBlock(ROOM, "sip:b@c", "B", "2013Z", 2**63 - 1, True, "x", "{\\rtf1 x}")
        live = writer.grpchat("1", alert).decode()
        inner = live[live.index("<grpchat") : -len("</xccos>")]
        self.assertEqual(writer.msg(alert), inner.replace("<grpchat", "<msg").replace("</grpchat", "</msg"))
        self.assertIn('chatId="9223372036854775807" alert="true"><chat>x</chat><rtf>{\\rtf1 x}</rtf>', inner)

    def test_line_break(self) -> None:
        """Line breaks of a text leave as LF."""
        message = MessageBlock(ROOM, "", "", "", 1, False, "a\nb\tc")
        self.assertIn(b"<chat>a\nb\tc</chat>", writer.grpchat("1", message))


class BlockTests(SynchronousTestCase):
    """Rooms, users and the rest."""

    def test_room_block(self) -> None:
        """A room is told in the form used everywhere."""
        self.assertEqual(writer.room_block(LOBBY), LOBBY_TEXT % "")

    def test_room_block_of_a_join(self) -> None:
        """In a join reply the room holds who has which permissions, by numbers of the table beside it."""
        aibs = [(3984, (0, 2)), (12276, [1])]
        self.assertEqual(
            writer.room_block(LOBBY, aibs=aibs),
            LOBBY_TEXT % '<aib key="3984" value="0,2"/><aib key="12276" value="1"/>',
        )

    def test_room_block_with_everything(self) -> None:
        """Every switch of a room shows where clients look for it."""
        block = RoomBlock(
            uri=ROOM,
            name="N",
            description="D",
            parent="P",
            behavior="AUDITORIUM",
            visibility="PRIVATE",
            disabled=True,
            logged=False,
            invite=True,
            filepost=True,
            addin_id="I",
            addin_name="A",
            addin_url="U",
        )
        found = tree(writer.room_block(block, messages=[MESSAGE], inner="<x/>", invite_id=7))
        self.assertEqual(
            {
                key: found.get(key)
                for key in ("behavior", "disabled", "siopid", "siopname", "siopurl", "inviteId")
            },
            {
                "behavior": "AUDITORIUM",
                "disabled": "true",
                "siopid": "I",
                "siopname": "A",
                "siopurl": "U",
                "inviteId": "7",
            },
        )
        texts = {child.get("id", "").rpartition(":")[2]: child.text for child in found if child.get("id")}
        self.assertEqual(
            [texts[key] for key in ("visibility", "visibilty", "logged", "invite", "filepost")],
            ["PRIVATE", "PRIVATE", "False", "True", "True"],
        )
        self.assertEqual([child.tag for child in found][-3:], ["msg", "x", "audit"])

    def test_history_reference(self) -> None:
        """History comes in a room reference with URI and name."""
        self.assertEqual(
            writer.room_reference(ROOM, writer.msg(MESSAGE), name="Lobby"),
            f'<chanib uri="{ROOM}" name="Lobby">{writer.msg(MESSAGE)}</chanib>',
        )
        self.assertEqual(writer.room_reference(ROOM), f'<chanib uri="{ROOM}"/>')

    def test_users(self) -> None:
        """A user has a number in join replies; the answer to ``requri`` is a URI only."""
        numbered = UserBlock("sip:a@b", "G", 5, "a", "A", id=0)
        self.assertEqual(
            writer.user_block(numbered),
            '<uib id="0" uri="sip:a@b" guid="G" type="5" uname="a" disname="A" email=""/>',
        )
        self.assertEqual(writer.user_reference("sip:chat@example.com"), '<uib uri="sip:chat@example.com"/>')

    def test_failed_room(self) -> None:
        """A room that could not be joined is named with the reason."""
        self.assertEqual(
            writer.fib("OPERATION_FAILED", "GUID-B", "example.com"),
            '<fib key="OPERATION_FAILED" value="GUID-B" domain="example.com"/>',
        )

    def test_server_info(self) -> None:
        """``getserverinfo`` is answered with the captured attributes and our two."""
        block = ServerBlock(
            123, "2010-09-14T14:26:17.6206356Z", 999, 512, 4096, "ma-cat://example.com/G", "db"
        )
        self.assertEqual(
            writer.server_info(block),
            '<sib infoType="123" serverTime="2010-09-14T14:26:17.6206356Z" searchLimit="999"'
            ' messageSizeLimit="512" storySizeLimit="4096" rootUri="ma-cat://example.com/G" dbVersion="db"'
            ' displayName="" roomManagementUrl=""/>',
        )

    def test_invitations_and_limit(self) -> None:
        """``getinv`` gives the last number, then rooms with theirs; a cut list says so."""
        self.assertEqual(
            writer.invitation_cursor(5, "example.com"), '<inv inviteId="5" domain="example.com"/>'
        )
        found = tree(writer.invitation(LOBBY, 5, "2013Z"))
        inner = found.find("inv")
        assert inner is not None
        self.assertEqual((found.get("inviteId"), inner.get("createdon")), ("5", "2013Z"))
        self.assertEqual(writer.limit_exceeded(), '<limit exceeded="true"/>')


class EscapingTests(SynchronousTestCase):
    """No text can leave its place or break the document."""

    def test_markup(self) -> None:
        """Markup, quotes and blanks come back as they were, from elements and attributes."""
        nasty = "<a b=\"c\" d='e'>&amp;]]>\t\n x"
        found = tree(writer.room_block(RoomBlock(ROOM, nasty, nasty, nasty, nasty, nasty, addin_url=nasty)))
        for name in ("name", "description", "parent", "behavior", "siopurl"):
            self.assertEqual(found.get(name), nasty)
        self.assertEqual(found[1].text, nasty)

    def test_forbidden_characters(self) -> None:
        """Characters that XML cannot hold are replaced, everywhere, and the rest of the text survives."""
        for forbidden in ("\x00", "\x01", "\x0b", "\x1f", "\ud800", "\udfff", "\ufffe", "\uffff"):
            message = MessageBlock(
                ROOM, forbidden, f"A{forbidden}", forbidden, 1, False, f"x{forbidden}y", forbidden
            )
            found = tree(writer.grpchat(forbidden, message))[0]
            self.assertEqual((found.get("authdisp"), found[0].text), ("A\ufffd", "x\ufffdy"))

    def test_echoes(self) -> None:
        """What a command made us echo cannot inject anything, even if a parser let it pass."""
        asked = Command('x"><evil/>', '"1', "<2>")
        reply = tree(writer.reply('"', asked, ResponseCode.SUCCESS_OK))
        self.assertEqual([child.get("id") for child in reply], ['rpl:x"><evil/>'])
        self.assertEqual(reply[0][0].attrib, {"seqid": '"1', "envid": "<2>"})
