"""The arguments of commands: frozen classes, and the readers that make them of a ``data`` element.

Readers are lenient towards what is unknown (attributes, children, order) and strict about what is known: a
known argument that is missing, doubled, contradictory or too long is refused as an invalid argument.

Here are those of sessions and of being in rooms; `pchat.xccos.reading` knows all families.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from attrs import frozen

from pchat.errors import CommandRefused
from pchat.xccos.arguments import (
    RoomKey,
    attribute,
    max_results,
    number,
    one,
    optional,
    refused,
    room_of_parts,
    room_of_uri,
)
from pchat.xccos.codes import ResponseCode
from pchat.xccos.parser import children

if TYPE_CHECKING:
    from pchat.xccos.arguments import Reader
    from pchat.xccos.limits import CommandLimits
    from pchat.xccos.parser import Element


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


def read_request_uri(data: Element | None, limits: CommandLimits) -> RequestUri:
    """Read ``requri``, which has no arguments."""
    return RequestUri()


def read_server_info(data: Element | None, limits: CommandLimits) -> ServerInfo:
    """Read ``getserverinfo``; everything in it may be absent."""
    block = optional(data, "sib")
    if block is None:
        return ServerInfo("", None)
    domain = attribute(block, "domain", limits.uri_chars, default="")
    return ServerInfo(domain, number(block, "infoType"))


def read_associations(data: Element | None, limits: CommandLimits) -> Associations:
    """Read ``getassociations``; its true form is unknown, so "MANAG" in any attribute means managed rooms."""
    kind: Literal["member", "manager"] = "member"
    most = None
    blocks = [] if data is None else [*data]
    if len(blocks) > 1:
        raise refused("more than one association")
    for block in blocks:
        if any("MANAG" in str(value).upper() for value in block.attrib.values()):
            kind = "manager"
        most = max_results(block)
    return Associations(kind, most)


def read_join(data: Element | None, limits: CommandLimits) -> Join:
    """Read ``join``: exactly one room."""
    return Join((room_of_parts(one(data, "chanid"), limits),))


def read_bulk_join(data: Element | None, limits: CommandLimits) -> Join:
    """Read ``bjoin``: one room or more; a room named twice is joined once."""
    blocks = [] if data is None else [*children(data, "chanid")]
    if not blocks:
        raise refused("no chanid")
    if len(blocks) > limits.rooms:
        raise CommandRefused(ResponseCode.ERROR_LIMIT_EXCEEDED, f"{len(blocks)} rooms in one join")
    return Join(tuple(dict.fromkeys(room_of_parts(block, limits) for block in blocks)))


def read_part(data: Element | None, limits: CommandLimits) -> Part:
    """Read ``part``: exactly one room."""
    return Part(room_of_uri(one(data, "chanib"), limits))


def read_context(data: Element | None, limits: CommandLimits) -> Context:
    """Read ``bccontext``: one room and optionally ``bcq/last/@cnt``."""
    room = room_of_uri(one(data, "chanib"), limits)
    last = optional(optional(data, "bcq"), "last")
    count = None if last is None else number(last, "cnt")
    if count is not None and count < 1:
        raise refused("cnt below 1")
    return Context(room, count)


READERS: dict[str, Reader] = {
    "requri": read_request_uri,
    "getserverinfo": read_server_info,
    "getassociations": read_associations,
    "join": read_join,
    "bjoin": read_bulk_join,
    "part": read_part,
    "bccontext": read_context,
}
