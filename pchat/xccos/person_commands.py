"""Arguments of the commands about what is kept for one user: invitations, preferences, read markers."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import TYPE_CHECKING

from attrs import frozen

from pchat.errors import CommandRefused
from pchat.xccos.arguments import RoomKey, attribute, boolean, number, one, refused, room_of_uri
from pchat.xccos.codes import ResponseCode
from pchat.xccos.parser import children

if TYPE_CHECKING:
    from pchat.xccos.arguments import Reader
    from pchat.xccos.limits import CommandLimits
    from pchat.xccos.parser import Element

# Versions of preferences are likely to be 32 bits wide at the client.
_LARGEST_VERSION = 2**31 - 1


@frozen
class InvitationsSince:
    """``getinv``.

    Args:
        since: Only invitations numbered above this.

    Source: docs/spec/xccos.md section 3.7.
    """

    since: int


@frozen
class PreferenceWanted:
    """``getpref``.

    Args:
        label: Which preference.
        known: The version that the client has; 0 for none.
        create_default: Whether an empty one shall be made if there is none.

    Source: docs/spec/xccos.md section 3.11.
    """

    label: str
    known: int
    create_default: bool


@frozen
class NewPreference:
    """``setpref``.

    Args:
        label: Which preference.
        known: The version that the client has; 0 for none.
        content: Base64 without blanks.

    Source: docs/spec/xccos.md section 3.11.
    """

    label: str
    known: int
    content: str


@frozen
class ReadMarks:
    """``setread``.

    Args:
        marks: By room, in the order given, the number of the last message read; 0 for none.

    Source: docs/xccos-extensions.md, "Read markers".
    """

    marks: Mapping[RoomKey, int]


def read_invitations(data: Element | None, limits: CommandLimits) -> InvitationsSince:
    """Read ``getinv``: the number of the last invitation the client knows."""
    since = number(one(data, "inv"), "inviteId")
    if since is None or since < 0:
        raise refused("inviteId missing or negative")
    return InvitationsSince(since)


def read_preference_wanted(data: Element | None, limits: CommandLimits) -> PreferenceWanted:
    """Read ``getpref``: one label; a missing version is that of a client that has nothing."""
    block = one(data, "pref")
    return PreferenceWanted(_label(block, limits), _known(block), boolean(block, "createdefault"))


def read_new_preference(data: Element | None, limits: CommandLimits) -> NewPreference:
    """Read ``setpref``: one label with its content, which may be empty but not absent.

    Raises:
        CommandRefused: The content is too long (limit exceeded), or something is wrong (invalid argument).
    """
    block = one(data, "pref")
    label, known = _label(block, limits), _known(block)
    boolean(block, "createdefault")  # of no meaning here, but clients send it
    content = block.get("content")
    if content is None:
        raise refused("no content")
    # Clients may have cut it into lines, of which an attribute keeps the blanks.
    content = "".join(content.split())
    try:
        size = len(base64.b64decode(content, validate=True))
    except (binascii.Error, ValueError):
        raise refused("content is not base64") from None
    if size > limits.preference_bytes:
        raise CommandRefused(ResponseCode.ERROR_LIMIT_EXCEEDED, f"content of {size} bytes")
    return NewPreference(label, known, content)


def read_marks(data: Element | None, limits: CommandLimits) -> ReadMarks:
    """Read ``setread``: rooms, each once, each with one ``read/@chatid``."""
    blocks = [] if data is None else [*children(data, "chanib")]
    if not blocks:
        raise refused("no chanib")
    if len(blocks) > limits.rooms:
        raise CommandRefused(ResponseCode.ERROR_LIMIT_EXCEEDED, f"{len(blocks)} rooms marked at once")
    marks: dict[RoomKey, int] = {}
    for block in blocks:
        room = room_of_uri(block, limits)
        chat_id = number(one(block, "read"), "chatid")
        if chat_id is None or chat_id < 0:
            raise refused("chatid missing or negative")
        if room in marks:
            raise refused("a room is marked twice")
        marks[room] = chat_id
    return ReadMarks(marks)


def _label(block: Element, limits: CommandLimits) -> str:
    label = attribute(block, "label", limits.label_chars)
    if not label.strip():
        raise refused("empty label")
    return label


def _known(block: Element) -> int:
    known = number(block, "seqid") or 0
    if not 0 <= known <= _LARGEST_VERSION:
        raise refused("seqid out of range")
    return known


READERS: dict[str, Reader] = {
    "getinv": read_invitations,
    "getpref": read_preference_wanted,
    "setpref": read_new_preference,
    "setread": read_marks,
}
