"""Arguments of the commands that find rooms.

Source: docs/spec/xccos.md sections 3.3, 3.4 and chapter 10; docs/xccos-extensions.md.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Literal, TypeVar

from attrs import frozen

from pchat.xccos.arguments import attribute, boolean, max_results, one, refused

if TYPE_CHECKING:
    from pchat.xccos.arguments import Reader
    from pchat.xccos.limits import CommandLimits
    from pchat.xccos.parser import Element

#: What a room may be searched by; all but the first take a URI (of an add-in also its GUID) as criteria.
SEARCH_KINDS = frozenset({"BYNAME", "BYMEMBER", "BYMANAGER", "BYCATEGORY", "BYADDIN", "BYUSERJOINED"})
WORD_CHARACTERS = 64

Visibility = Literal["OPEN", "SCOPED", "PRIVATE"]
BehaviorWord = Literal["NORMAL", "AUDITORIUM"]
VISIBILITIES: dict[str, Visibility] = {"OPEN": "OPEN", "SCOPED": "SCOPED", "PRIVATE": "PRIVATE"}
BEHAVIORS: dict[str, BehaviorWord] = {"NORMAL": "NORMAL", "AUDITORIUM": "AUDITORIUM"}
Word = TypeVar("Word")


class Match(Enum):
    """How the text sought must stand in a name or description."""

    #: As it is written, anywhere, parts of words too.
    PHRASE = "phrase"
    #: Each of its words somewhere.
    ALL = "all"
    #: At least one of its words.
    ANY = "any"


@frozen
class RoomSearch:
    """``chansrch``.

    Args:
        qtype: What is searched by; a member of `SEARCH_KINDS`.
        criteria: The text or URI sought; empty for all, by name only.
        extended: Whether descriptions are searched too.
        max_results: Most rooms wanted; None for all that the server allows.
        match: How the words of the criteria must be found.
        visibility: Only rooms of this privacy.
        behavior: Only rooms of this type.
        invite: Only rooms that invite new members, or only others.
        disabled: Only disabled rooms, which nobody but their managers finds.

    Source: docs/spec/xccos.md section 3.4 and chapter 10; docs/xccos-extensions.md.
    """

    qtype: str
    criteria: str
    extended: bool
    max_results: int | None
    match: Match = Match.PHRASE
    visibility: Visibility | None = None
    behavior: BehaviorWord | None = None
    invite: bool | None = None
    disabled: bool = False


def word_of(element: Element, name: str, words: dict[str, Word]) -> Word | None:
    """Read an attribute that is one of some words, in any case; absent is None.

    Raises:
        CommandRefused: It is another word (invalid argument).
    """
    if element.get(name) is None:
        return None
    found = words.get(attribute(element, name, WORD_CHARACTERS).strip().upper())
    if found is None:
        raise refused(f"unknown {name}")
    return found


def optional_boolean(element: Element, name: str) -> bool | None:
    """Read an attribute that is true, false or absent.

    Raises:
        CommandRefused: It is something else (invalid argument).
    """
    return None if element.get(name) is None else boolean(element, name)


def read_room_search(data: Element | None, limits: CommandLimits) -> RoomSearch:
    """Read ``chansrch``: one query; its criteria say what is sought, further attributes narrow it."""
    block = one(data, "qib")
    qtype = attribute(block, "qtype", WORD_CHARACTERS, default="BYNAME").upper()
    if qtype not in SEARCH_KINDS:
        raise refused("unknown qtype")
    by_name = qtype == "BYNAME"
    criteria = attribute(
        block, "criteria", limits.criteria_chars if by_name else limits.uri_chars, default=""
    )
    if not by_name and not criteria.strip():
        raise refused("no criteria")
    return RoomSearch(
        qtype,
        criteria,
        boolean(block, "extended"),
        max_results(block),
        match=_match(block),
        visibility=word_of(block, "visibility", VISIBILITIES),
        behavior=word_of(block, "behavior", BEHAVIORS),
        invite=optional_boolean(block, "invite"),
        disabled=boolean(block, "disabled"),
    )


def _match(block: Element) -> Match:
    if boolean(block, "matchexact"):
        return Match.PHRASE
    every = optional_boolean(block, "matchall")
    if every is None:
        return Match.PHRASE
    return Match.ALL if every else Match.ANY


READERS: dict[str, Reader] = {"chansrch": read_room_search}
