"""Values to the bytes of INFO bodies: replies, notices and messages, one of them an envelope.

Plain text rendering, no trees: a message goes to a thousand clients from one rendering. Whatever the values
hold, what comes out is well-formed; characters that XML 1.0 forbids become U+FFFD.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pchat.xccos.blocks import MessageBlock, RoomBlock, ServerBlock, UserBlock

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pchat.interfaces import Random
    from pchat.xccos.codes import ResponseCode
    from pchat.xccos.parser import Command

__all__ = [
    "EnvelopeIds", "MessageBlock", "RoomBlock", "ServerBlock", "UserBlock", "attribute", "fib", "grpchat",
    "invitation", "invitation_cursor", "join_notice", "limit_exceeded", "msg", "notice", "part_notice",
    "reply", "room_block", "room_mask", "room_reference", "server_info", "text", "user_attributes",
    "user_block", "user_list", "user_reference",
]  # fmt: skip

# Not XML 1.0 production 2 (Char); Python's lone surrogates are among them.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_NEEDS_CARE = re.compile('[&<>"\x00-\x1f\ud800-\udfff\ufffe\uffff]')
_ENVELOPE_HEAD: Final = (
    '<xccos xmlns:xsd="http://www.w3.org/2001/XMLSchema" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" ver="1" envid="'
)
_ENVELOPE_NAMESPACE: Final = '" xmlns="urn:parlano:xml:ns:xccos">'

#: Commands whose reply has another name than theirs; docs/spec/xccos.md section 3.10.
REPLY_NAMES: Final = {"getfutok": "getftok", "getfdtok": "getftok"}


def text(value: str) -> str:
    """Escape a value for the content of an element."""
    if not _NEEDS_CARE.search(value):
        return value
    value = value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")
    return _FORBIDDEN.sub("\ufffd", value)


def attribute(value: str) -> str:
    """Escape a value for an attribute in double quotes; blanks of all kinds survive the reader."""
    if not _NEEDS_CARE.search(value):
        return value
    value = text(value).replace('"', "&quot;")
    return value.replace("\n", "&#10;").replace("\t", "&#9;")


class EnvelopeIds:
    """The ``envid`` of our envelopes: decimals that count up and fit a signed 64-bit integer.

    Args:
        random: Chooses the start, 62 bits.

    Source: docs/spec/xccos.md section 2.1.
    """

    __slots__ = ("_last",)

    def __init__(self, random: Random) -> None:
        self._last = int.from_bytes(random(8), "big") >> 2

    def next(self) -> str:
        """Give the next identifier."""
        self._last += 1
        return str(self._last)


def reply(envid: str, command: Command, code: ResponseCode, data: str = "") -> bytes:
    """Render the answer to a command.

    Args:
        envid: Identifier of this envelope of ours.
        command: The command answered.
        code: How it went.
        data: Rendered children of ``data``.

    Returns:
        The INFO body.

    Source: docs/spec/xccos.md section 2.2.
    """
    name = REPLY_NAMES.get(command.name, command.name)
    return _envelope(
        envid,
        f'<rpl id="rpl:{attribute(name)}" seqid="1">'
        f'<commandid seqid="{attribute(command.seqid)}" envid="{attribute(command.envid)}"/>'
        f'<resp code="{code.number}">{code.symbol}</resp>{_data(data)}</rpl>',
    )


def notice(envid: str, name: str, data: str = "") -> bytes:
    """Render a notice, such as ``join`` or ``chandisable``.

    Args:
        envid: Identifier of this envelope of ours.
        name: The notice's name without ``ntc:``.
        data: Rendered children of ``data``.

    Returns:
        The INFO body.

    Source: docs/spec/xccos.md sections 2.2 and 3.14.
    """
    return _envelope(envid, f'<ntc id="ntc:{attribute(name)}" seqid="1">{_data(data)}</ntc>')


def grpchat(envid: str, message: MessageBlock) -> bytes:
    """Render a message for everybody in the room.

    Returns:
        The INFO body.

    Source: docs/spec/xccos.md section 3.9.
    """
    return _envelope(envid, _message("grpchat", message))


def msg(message: MessageBlock) -> str:
    """Render a message of history, to stand in a ``chanib``."""
    return _message("msg", message)


def room_block(
    block: RoomBlock,
    *,
    aibs: Iterable[tuple[int, Sequence[int]]] = (),
    messages: Iterable[MessageBlock] = (),
    inner: str = "",
    invite_id: int | None = None,
) -> str:
    """Render everything about a room.

    Args:
        block: The room.
        aibs: In join replies: (permission mask, ``id`` of the users who hold it).
        messages: Messages to stand in the block.
        inner: Further rendered children.
        invite_id: In ``getinv`` and ``ntc:invite``: number of the invitation.

    Returns:
        A ``chanib`` element.

    Source: docs/spec/xccos.md chapter 10.
    """
    filestore = attribute(block.filestore_uri)
    invitation = "" if invite_id is None else f' inviteId="{invite_id}"'
    ucnt, visibility = block.participants, attribute(block.visibility)
    return (
        f'<chanib name="{attribute(block.name)}" description="{attribute(block.description)}"'
        f' uri="{attribute(block.uri)}" parent="{attribute(block.parent)}"'
        f' behavior="{attribute(block.behavior)}" topic="" keywords="" filestoreuri="{filestore}"'
        f' disabled="{_lower(block.disabled)}" siopid="{attribute(block.addin_id)}"'
        f' siopname="{attribute(block.addin_name)}" siopurl="{attribute(block.addin_url)}"{invitation}>'
        f'<info id="urn:parlano:ma:info:ucnt">{ucnt}</info>'
        f'<info id="urn:parlano:ma:info:visibility">{visibility}</info>'
        # COMPAT(pidgin-sipe): it reads the misspelt one only.
        f'<info id="urn:parlano:ma:info:visibilty">{visibility}</info>'
        f'<info id="urn:parlano:ma:info:filestoreuri">{filestore}</info>'
        f'<prop id="urn:parlano:ma:prop:logged">{block.logged}</prop>'
        f'<prop id="urn:parlano:ma:prop:invite">{block.invite}</prop>'
        f'<prop id="urn:parlano:ma:prop:filepost">{block.filepost}</prop>'
        f"{''.join([user_list(mask, ids) for mask, ids in aibs])}{''.join(map(msg, messages))}{inner}"
        f'<audit createdby="{attribute(block.created_by)}" createdon="{attribute(block.created_on)}"'
        f' updatedby="{attribute(block.updated_by)}" updatedon="{attribute(block.updated_on)}"/></chanib>'
    )


def room_reference(uri: str, inner: str = "", *, name: str | None = None) -> str:
    """Render a bare ``chanib``: in ``part``, ``kick``, ``chandisable``, and around history.

    Args:
        uri: The room's URI in its stored form.
        inner: Rendered children.
        name: The room's name, where the form has it (history).
    """
    named = "" if name is None else f' name="{attribute(name)}"'
    return _element("chanib", f' uri="{attribute(uri)}"{named}', inner)


def user_block(block: UserBlock, inner: str = "") -> str:
    """Render a ``uib`` with all that is told of a user."""
    numbered = "" if block.id is None else f' id="{block.id}"'
    return _element("uib", numbered + user_attributes(block), inner)


def user_attributes(block: UserBlock) -> str:
    """Render what all ``uib`` of a user have in common, to stand in many."""
    return (
        f' uri="{attribute(block.uri)}" guid="{attribute(block.guid)}" type="{block.kind}"'
        f' uname="{attribute(block.uname)}" disname="{attribute(block.disname)}"'
        f' email="{attribute(block.email)}"'
    )


def user_reference(uri: str, inner: str = "") -> str:
    """Render a bare ``uib``: the answer to ``requri``, the user of ``ntc:part`` and ``ntc:roles``."""
    return _element("uib", f' uri="{attribute(uri)}"', inner)


def user_list(mask: int, ids: Iterable[int]) -> str:
    """Render the ``aib`` of a join reply: who in the table of users holds exactly this permission mask."""
    return f'<aib key="{mask}" value="{",".join(map(str, ids))}"/>'


def room_mask(mask: int, guid: str, domain: str) -> str:
    """Render the ``aib`` inside a ``uib``: a user's permission mask in a room."""
    return f'<aib key="{mask}" value="{attribute(guid)}" domain="{attribute(domain)}"/>'


def fib(key: str, guid: str, domain: str) -> str:
    """Render the failure of one room among several."""
    return f'<fib key="{attribute(key)}" value="{attribute(guid)}" domain="{attribute(domain)}"/>'


def join_notice(users: Iterable[tuple[UserBlock, Iterable[tuple[int, str, str]]]]) -> str:
    """Render the data of ``ntc:join`` and ``ntc:bjoin``.

    Args:
        users: Who came, each with (mask, room GUID, room domain) of the rooms joined.

    Source: docs/spec/xccos.md section 3.5.
    """
    return "".join([user_block(user, "".join([room_mask(*room) for room in rooms])) for user, rooms in users])


def part_notice(room_uri: str, user_uris: Iterable[str]) -> str:
    """Render the data of ``ntc:part``: who left a room.

    Source: docs/spec/xccos.md section 3.6.
    """
    return room_reference(room_uri, "".join(map(user_reference, user_uris)))


def server_info(block: ServerBlock) -> str:
    """Render the ``sib`` of ``getserverinfo``."""
    echoed = "" if block.info_type is None else f' infoType="{block.info_type}"'
    return (
        f'<sib{echoed} serverTime="{attribute(block.server_time)}" searchLimit="{block.search_limit}"'
        f' messageSizeLimit="{block.message_size_limit}" storySizeLimit="{block.story_size_limit}"'
        f' rootUri="{attribute(block.root_uri)}" dbVersion="{attribute(block.db_version)}"'
        f' displayName="{attribute(block.display_name)}"'
        f' roomManagementUrl="{attribute(block.room_management_url)}"/>'
    )


def invitation_cursor(last: int, domain: str) -> str:
    """Render the first child of a ``getinv`` reply: the number of the last invitation there is."""
    return f'<inv inviteId="{last}" domain="{attribute(domain)}"/>'


def invitation(block: RoomBlock, invite_id: int, created_on: str) -> str:
    """Render a room one is invited to.

    Args:
        block: The room.
        invite_id: Number of the invitation.
        created_on: ISO 8601 time of the invitation.
    """
    return room_block(block, invite_id=invite_id, inner=f'<inv createdon="{attribute(created_on)}"/>')


def limit_exceeded() -> str:
    """Render the mark that a list was cut."""
    return '<limit exceeded="true"/>'


def _envelope(envid: str, content: str) -> bytes:
    return f"{_ENVELOPE_HEAD}{attribute(envid)}{_ENVELOPE_NAMESPACE}{content}</xccos>".encode()


def _data(content: str) -> str:
    return _element("data", "", content)


def _element(name: str, attributes: str, content: str) -> str:
    return f"<{name}{attributes}>{content}</{name}>" if content else f"<{name}{attributes}/>"


def _message(name: str, block: MessageBlock) -> str:
    rtf = "" if block.rtf is None else f"<rtf>{text(block.rtf)}</rtf>"
    return (
        f'<{name} id="grpchat" seqid="1" chanUri="{attribute(block.room_uri)}"'
        f' author="{attribute(block.author)}" ts="{attribute(block.ts)}"'
        f' authdisp="{attribute(block.authdisp)}" chatId="{block.chat_id}"'
        f' alert="{_lower(block.alert)}"><chat>{text(block.chat)}</chat>{rtf}</{name}>'
    )


def _lower(value: bool) -> str:
    return "true" if value else "false"
