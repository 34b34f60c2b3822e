"""What the readers of commands have in common: strict about what is known, silent about what is not.

Source: docs/spec/xccos.md sections 2.3 and 2.4.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from attrs import frozen

from pchat.errors import CommandRefused
from pchat.xccos.codes import ResponseCode
from pchat.xccos.parser import children

if TYPE_CHECKING:
    from collections.abc import Callable

    from pchat.xccos.limits import CommandLimits
    from pchat.xccos.parser import Element

    #: Makes the arguments of one command of its ``data`` element.
    Reader = Callable[[Element | None, CommandLimits], object]

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
            raise refused("not a room URI")
        return cls(found[1].casefold(), found[2].casefold())

    @classmethod
    def of_parts(cls, domain: str, guid: str) -> RoomKey:
        """Make a key of the two attributes of a ``chanid``.

        Raises:
            CommandRefused: One of them cannot be part of a room URI (invalid argument).
        """
        if not _ROOM_PART.fullmatch(domain) or not _ROOM_PART.fullmatch(guid):
            raise refused("bad chanid")
        return cls(domain.casefold(), guid.casefold())


def refused(detail: str) -> CommandRefused:
    """Make the refusal of a bad argument; the detail is for the log."""
    return CommandRefused(ResponseCode.ERROR_INVALID_ARGUMENT, detail)


def one(parent: Element | None, name: str) -> Element:
    """Find the one child of a name.

    Raises:
        CommandRefused: There is none, or more than one (invalid argument).
    """
    found = optional(parent, name)
    if found is None:
        raise refused(f"no {name}")
    return found


def optional(parent: Element | None, name: str) -> Element | None:
    """Find the child of a name, or None.

    Raises:
        CommandRefused: There is more than one (invalid argument).
    """
    found = [] if parent is None else [*children(parent, name)]
    if len(found) > 1:
        raise refused(f"more than one {name}")
    return found[0] if found else None


def attribute(element: Element, name: str, most: int, default: str | None = None) -> str:
    """Read an attribute of at most so many characters.

    Raises:
        CommandRefused: It is missing and has no default, or too long (invalid argument).
    """
    value = element.get(name, default)
    if value is None:
        raise refused(f"no {name}")
    if len(value) > most:
        raise refused(f"{name} too long")
    return value


def number(element: Element, name: str) -> int | None:
    """Read an attribute that is a whole number of 64 bits, or None if it is absent.

    Raises:
        CommandRefused: It is something else (invalid argument).
    """
    text = element.get(name)
    if text is None:
        return None
    if not _NUMBER.fullmatch(text.strip()):
        raise refused(f"{name} is not a number")
    value = int(text)
    if abs(value) > _LARGEST:
        raise refused(f"{name} out of range")
    return value


def boolean(element: Element, name: str) -> bool:
    """Read an attribute that is true or false; absent is false.

    Raises:
        CommandRefused: It is something else (invalid argument).
    """
    value = _BOOLEANS.get(element.get(name, "false").strip().lower())
    if value is None:
        raise refused(f"{name} is not a boolean")
    return value


def max_results(element: Element) -> int | None:
    """Read ``maxResults``, where -1 means all."""
    most = number(element, "maxResults")
    if most is None or most == -1:
        return None
    if most < 1:
        raise refused("maxResults below 1")
    return most


def room_of_uri(element: Element, limits: CommandLimits) -> RoomKey:
    """Read the room that an element names by ``uri``.

    Raises:
        CommandRefused: It is no room URI (invalid argument).
    """
    return RoomKey.parse_uri(attribute(element, "uri", limits.uri_chars))


def room_of_parts(element: Element, limits: CommandLimits) -> RoomKey:
    """Read the room that an element names by ``domain`` and ``value``.

    Raises:
        CommandRefused: They are no parts of a room URI (invalid argument).
    """
    domain = attribute(element, "domain", limits.uri_chars)
    return RoomKey.of_parts(domain, attribute(element, "value", limits.uri_chars))
