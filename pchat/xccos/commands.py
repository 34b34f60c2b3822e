"""The arguments of commands: frozen classes, and the readers that make them of a ``data`` element.

Readers are lenient towards what is unknown (attributes, children, order) and strict about what is known: a
known argument that is missing, doubled, contradictory or too long is refused as an invalid argument.

Commands of docs/spec/xccos.md chapter 10 that are not here yet are each a class, a ``read_`` function and a
line in `READERS`; until then they are answered as unsupported.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from attrs import frozen

from pchat.errors import CommandRefused
from pchat.xccos.codes import ResponseCode
from pchat.xccos.limits import DEFAULT_COMMAND_LIMITS, CommandLimits
from pchat.xccos.parser import children

if TYPE_CHECKING:
    from collections.abc import Callable

    from pchat.xccos.parser import Command, Element

_ROOM_URI = re.compile(r"[mM][aA]-[cC][hH][aA][nN]://([^\s/?#<>\"'&]{1,255})/([^\s/?#<>\"'&]{1,128})")
_ROOM_PART = re.compile(r"[^\s/?#<>\"'&]{1,255}")
# No number here needs more than a signed 64-bit's digits; int() of longer text costs quadratic time.
_NUMBER = re.compile(r"[+-]?[0-9]{1,19}")
# The largest integer of a store's column.
_LARGEST = 2**63 - 1
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


@frozen
class RoomKey:
    """What identifies a room in a request, whatever the case it is written in.

    Args:
        domain: Host part, case folded.
        guid: Last path segment, an opaque text, case folded.

    Source: docs/spec/xccos.md section 2.3.
    """

    domain: str
    guid: str

    @classmethod
    def parse_uri(cls, uri: str) -> RoomKey:
        """Read ``ma-chan://domain/guid``.

        Raises:
            CommandRefused: It is not a room URI (invalid argument).
        """
        found = _ROOM_URI.fullmatch(uri)
        if found is None:
            raise _refused("not a room URI")
        return cls(found[1].casefold(), found[2].casefold())

    @classmethod
    def of_parts(cls, domain: str, guid: str) -> RoomKey:
        """Make a key of the two attributes of a ``chanid``.

        Raises:
            CommandRefused: One of them cannot be part of a room URI (invalid argument).
        """
        if not _ROOM_PART.fullmatch(domain) or not _ROOM_PART.fullmatch(guid):
            raise _refused("bad chanid")
        return cls(domain.casefold(), guid.casefold())


@frozen
class RequestUri:
    """``requri``: where is my channel server; no arguments.

    Source: docs/spec/xccos.md section 3.1.
    """


@frozen
class ServerInfo:
    """``getserverinfo``.

    Args:
        domain: The chat domain as the client writes it; empty if absent.
        info_type: Wanted items, of unknown meaning, to be echoed.

    Source: docs/spec/xccos.md section 3.2.
    """

    domain: str
    info_type: int | None


@frozen
class Associations:
    """``getassociations``: the rooms the user belongs to or manages.

    Args:
        kind: Which of the two lists.
        max_results: Most rooms wanted; None for all that the server allows.

    Source: docs/spec/xccos.md section 3.3 and chapter 10.
    """

    kind: Literal["member", "manager"]
    max_results: int | None


@frozen
class Join:
    """``join`` and ``bjoin``.

    Args:
        rooms: Each room once, in the order asked; exactly one for ``join``.

    Source: docs/spec/xccos.md section 3.5.
    """

    rooms: tuple[RoomKey, ...]


@frozen
class Part:
    """``part``.

    Source: docs/spec/xccos.md section 3.6.
    """

    room: RoomKey


@frozen
class Context:
    """``bccontext``: the latest messages of a room.

    Args:
        room: The room.
        count: How many, at least 1; the server's own limit caps it. None if not said.

    Source: docs/spec/xccos.md section 3.8.
    """

    room: RoomKey
    count: int | None


@frozen
class Invitations:
    """``getinv``.

    Args:
        since: Only invitations numbered above this.

    Source: docs/spec/xccos.md section 3.7.
    """

    since: int


@frozen
class RoomSearch:
    """``chansrch``.

    Args:
        qtype: What is searched by; a member of `SEARCH_KINDS`.
        criteria: The text or URI sought; empty for all.
        extended: Whether descriptions are searched too.
        max_results: Most rooms wanted; None for all that the server allows.

    Source: docs/spec/xccos.md section 3.4 and chapter 10.
    """

    qtype: str
    criteria: str
    extended: bool
    max_results: int | None


#: The further kinds of chapter 10 (BYMEMBER, BYCATEGORY, …) belong here once rooms can be searched so.
SEARCH_KINDS = frozenset({"BYNAME"})

Arguments = RequestUri | ServerInfo | Associations | Join | Part | Context | Invitations | RoomSearch


def read_command(command: Command, limits: CommandLimits = DEFAULT_COMMAND_LIMITS) -> Arguments:
    """Read the arguments of any known command.

    Raises:
        CommandRefused: The command is unknown (not supported), or an argument is wrong (invalid argument).

    Source: docs/spec/xccos.md chapter 4.
    """
    reader = READERS.get(command.name)
    if reader is None:
        raise CommandRefused(ResponseCode.ERROR_MSG_NOT_SUPPORTED, command.name)
    return reader(command.data, limits)


def read_request_uri(data: Element | None, limits: CommandLimits) -> RequestUri:
    """Read ``requri``, which has no arguments."""
    return RequestUri()


def read_server_info(data: Element | None, limits: CommandLimits) -> ServerInfo:
    """Read ``getserverinfo``; everything in it may be absent."""
    block = _optional(data, "sib")
    if block is None:
        return ServerInfo("", None)
    domain = _attribute(block, "domain", limits.uri_chars, default="")
    return ServerInfo(domain, _number(block, "infoType"))


def read_associations(data: Element | None, limits: CommandLimits) -> Associations:
    """Read ``getassociations``; its true form is unknown, so "MANAG" in any attribute means managed rooms."""
    kind: Literal["member", "manager"] = "member"
    max_results = None
    blocks = [] if data is None else [*data]
    if len(blocks) > 1:
        raise _refused("more than one association")
    for block in blocks:
        if any("MANAG" in str(value).upper() for value in block.attrib.values()):
            kind = "manager"
        max_results = _max_results(block)
    return Associations(kind, max_results)


def read_join(data: Element | None, limits: CommandLimits) -> Join:
    """Read ``join``: exactly one room."""
    return Join((_room_of_parts(_one(data, "chanid"), limits),))


def read_bulk_join(data: Element | None, limits: CommandLimits) -> Join:
    """Read ``bjoin``: one room or more; a room named twice is joined once."""
    blocks = [] if data is None else [*children(data, "chanid")]
    if not blocks:
        raise _refused("no chanid")
    if len(blocks) > limits.rooms:
        raise CommandRefused(ResponseCode.ERROR_LIMIT_EXCEEDED, f"{len(blocks)} rooms in one join")
    return Join(tuple(dict.fromkeys(_room_of_parts(block, limits) for block in blocks)))


def read_part(data: Element | None, limits: CommandLimits) -> Part:
    """Read ``part``: exactly one room."""
    return Part(_room_of_uri(_one(data, "chanib"), limits))


def read_context(data: Element | None, limits: CommandLimits) -> Context:
    """Read ``bccontext``: one room and optionally ``bcq/last/@cnt``."""
    room = _room_of_uri(_one(data, "chanib"), limits)
    last = _optional(_optional(data, "bcq"), "last")
    count = None if last is None else _number(last, "cnt")
    if count is not None and count < 1:
        raise _refused("cnt below 1")
    return Context(room, count)


def read_invitations(data: Element | None, limits: CommandLimits) -> Invitations:
    """Read ``getinv``: the number of the last invitation the client knows."""
    since = _number(_one(data, "inv"), "inviteId")
    if since is None or since < 0:
        raise _refused("inviteId missing or negative")
    return Invitations(since)


def read_room_search(data: Element | None, limits: CommandLimits) -> RoomSearch:
    """Read ``chansrch``: one query; only its criteria say what is sought."""
    block = _one(data, "qib")
    qtype = _attribute(block, "qtype", 64, default="BYNAME").upper()
    if qtype not in SEARCH_KINDS:
        raise _refused("unknown qtype")
    criteria = _attribute(block, "criteria", limits.criteria_chars, default="")
    return RoomSearch(qtype, criteria, _boolean(block, "extended"), _max_results(block))


READERS: dict[str, Callable[[Element | None, CommandLimits], Arguments]] = {
    "requri": read_request_uri,
    "getserverinfo": read_server_info,
    "getassociations": read_associations,
    "join": read_join,
    "bjoin": read_bulk_join,
    "part": read_part,
    "bccontext": read_context,
    "getinv": read_invitations,
    "chansrch": read_room_search,
}


def _refused(detail: str) -> CommandRefused:
    return CommandRefused(ResponseCode.ERROR_INVALID_ARGUMENT, detail)


def _one(parent: Element | None, name: str) -> Element:
    found = _optional(parent, name)
    if found is None:
        raise _refused(f"no {name}")
    return found


def _optional(parent: Element | None, name: str) -> Element | None:
    found = [] if parent is None else [*children(parent, name)]
    if len(found) > 1:
        raise _refused(f"more than one {name}")
    return found[0] if found else None


def _attribute(element: Element, name: str, most: int, default: str | None = None) -> str:
    value = element.get(name, default)
    if value is None:
        raise _refused(f"no {name}")
    if len(value) > most:
        raise _refused(f"{name} too long")
    return value


def _number(element: Element, name: str) -> int | None:
    text = element.get(name)
    if text is None:
        return None
    if not _NUMBER.fullmatch(text.strip()):
        raise _refused(f"{name} is not a number")
    number = int(text)
    if abs(number) > _LARGEST:
        raise _refused(f"{name} out of range")
    return number


def _boolean(element: Element, name: str) -> bool:
    value = _BOOLEANS.get(element.get(name, "false").strip().lower())
    if value is None:
        raise _refused(f"{name} is not a boolean")
    return value


def _max_results(element: Element) -> int | None:
    """Read ``maxResults``, where -1 means all."""
    number = _number(element, "maxResults")
    if number is None or number == -1:
        return None
    if number < 1:
        raise _refused("maxResults below 1")
    return number


def _room_of_uri(element: Element, limits: CommandLimits) -> RoomKey:
    return RoomKey.parse_uri(_attribute(element, "uri", limits.uri_chars))


def _room_of_parts(element: Element, limits: CommandLimits) -> RoomKey:
    domain = _attribute(element, "domain", limits.uri_chars)
    return RoomKey.of_parts(domain, _attribute(element, "value", limits.uri_chars))
