"""Arguments of the commands that make and change rooms and their roles, and that ask who may what.

Source: docs/spec/xccos.md sections 3.12, 3.13 and chapter 10; docs/xccos-extensions.md.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from attrs import frozen

from pchat import ticks
from pchat.errors import CommandRefused
from pchat.xccos.arguments import RoomKey, attribute, max_results, one, refused, room_of_uri
from pchat.xccos.codes import ResponseCode
from pchat.xccos.parser import children
from pchat.xccos.search_commands import (
    BEHAVIORS,
    VISIBILITIES,
    WORD_CHARACTERS,
    BehaviorWord,
    Visibility,
    optional_boolean,
    word_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pchat.xccos.arguments import Reader
    from pchat.xccos.limits import CommandLimits
    from pchat.xccos.parser import Element

RoleWord = Literal["MEMBER", "MANAGER", "PRESENTER"]
ROLES: dict[str, RoleWord] = {"MEMBER": "MEMBER", "MANAGER": "MANAGER", "PRESENTER": "PRESENTER"}
_CATEGORY_URI = re.compile(r"[mM][aA]-[cC][aA][tT]://[^\s/?#<>\"'&]{1,255}/[^\s/?#<>\"'&]{1,128}")
#: A name may be written with up to four characters for each that is stored (decomposed forms).
_NAME_CHARACTERS = 1_024


@frozen
class NoArguments:
    """``nodespermcreatechild`` and ``getaddins``, which have none.

    Source: docs/spec/xccos.md section 3.12 and chapter 10.
    """


@frozen
class RoomQuestion:
    """``getroster``, ``getroles`` and ``getperms``: a question about one room.

    Source: docs/spec/xccos.md chapter 10.
    """

    room: RoomKey


@frozen
class RoomWishes:
    """What a room is to be; None is not said.

    Args:
        name: Its name, as the client writes it.
        description: Its description.
        parent: URI of its category.
        behavior: Who posts.
        visibility: Who finds and joins it.
        invite: True to do as the category does, False to invite nobody.
        addin: GUID of its add-in; empty for none.

    Source: docs/spec/xccos.md chapter 10.
    """

    name: str | None = None
    description: str | None = None
    parent: str | None = None
    behavior: BehaviorWord | None = None
    visibility: Visibility | None = None
    invite: bool | None = None
    addin: str | None = None


@frozen
class CreateRoom:
    """``chancreate``: name and parent are given.

    Source: docs/spec/xccos.md chapter 10.
    """

    wishes: RoomWishes


@frozen
class ModifyRoom:
    """``chanmodify``.

    Args:
        room: The room.
        wishes: What is to be different.
        disabled: True to disable the room, False if it must not be; None if nothing is said.
        updated_on: Ticks of the last change that the client knows of; None if it does not care.

    Source: docs/spec/xccos.md chapter 10.
    """

    room: RoomKey
    wishes: RoomWishes
    disabled: bool | None
    updated_on: int | None


@frozen
class RoleWish:
    """What is to change on one role list.

    Args:
        add, remove: URIs of users, groups or domains, each once, none in both.
    """

    add: tuple[str, ...]
    remove: tuple[str, ...]


@frozen
class ModifyRoles:
    """``chanroles``.

    Args:
        room: The room.
        changes: By role.
        updated_on: As in `ModifyRoom`.

    Source: docs/spec/xccos.md chapter 10.
    """

    room: RoomKey
    changes: dict[RoleWord, RoleWish]
    updated_on: int | None


@frozen
class UserSearch:
    """``prinsrch`` of the kind ``USERS``: who there is.

    Args:
        criteria: Part of a name or address, not empty.
        max_results: Most users wanted; None for all that the server allows.

    Source: docs/spec/xccos.md section 3.13 and chapter 10.
    """

    criteria: str
    max_results: int | None


@frozen
class RoleSearch:
    """``prinsrch`` of the kind ``FORROLE``: who may be given a role.

    Args:
        role: The role.
        room: The room that the role is in, None if it is yet to be made.
        category: URI of the category that it would be made in; None if there is a room.
        criteria: Part of a name or address; empty for all.
        max_results: Most principals wanted; None for all that the server allows.

    Source: docs/spec/xccos.md section 3.13 and chapter 10; docs/xccos-extensions.md.
    """

    role: RoleWord
    room: RoomKey | None
    category: str | None
    criteria: str
    max_results: int | None


def read_no_arguments(data: Element | None, limits: CommandLimits) -> NoArguments:
    """Read a command that has no arguments."""
    return NoArguments()


def read_room_question(data: Element | None, limits: CommandLimits) -> RoomQuestion:
    """Read a question about exactly one room."""
    return RoomQuestion(room_of_uri(one(data, "chanib"), limits))


def read_create_room(data: Element | None, limits: CommandLimits) -> CreateRoom:
    """Read ``chancreate``: one room block with a name and a parent; it cannot name the room's URI."""
    wishes = _wishes(one(data, "chanib"), limits)
    if wishes.name is None or wishes.parent is None:
        raise refused("no name or no parent")
    return CreateRoom(wishes)


def read_modify_room(data: Element | None, limits: CommandLimits) -> ModifyRoom:
    """Read ``chanmodify``: one room block; what is absent in it stays as it is."""
    block = one(data, "chanib")
    return ModifyRoom(
        room_of_uri(block, limits),
        _wishes(block, limits),
        optional_boolean(block, "disabled"),
        _updated_on(block),
    )


def _wishes(block: Element, limits: CommandLimits) -> RoomWishes:
    parent = _text(block, "parent", limits.uri_chars)
    if parent is not None and not _CATEGORY_URI.fullmatch(parent):
        raise refused("parent is no category URI")
    return RoomWishes(
        name=_text(block, "name", _NAME_CHARACTERS),
        description=_text(block, "description", _NAME_CHARACTERS),
        parent=parent,
        behavior=word_of(block, "behavior", BEHAVIORS),
        visibility=word_of(block, "visibility", VISIBILITIES),
        invite=optional_boolean(block, "invite"),
        addin=_text(block, "siopid", WORD_CHARACTERS),
    )


def _text(element: Element, name: str, most: int) -> str | None:
    return None if element.get(name) is None else attribute(element, name, most)


def _updated_on(element: Element) -> int | None:
    text = _text(element, "updatedon", WORD_CHARACTERS)
    if text is None:
        return None
    try:
        return ticks.from_iso(text)
    except (ValueError, OverflowError):
        raise refused("updatedon is no time") from None


def read_modify_roles(data: Element | None, limits: CommandLimits) -> ModifyRoles:
    """Read ``chanroles``: one room, and each role at most once with whom to add and whom to remove."""
    block = one(data, "chanib")
    room, updated_on = room_of_uri(block, limits), _updated_on(block)
    changes: dict[RoleWord, RoleWish] = {}
    for element in children(data, "role") if data is not None else ():
        role = _role(element, "type")
        if role in changes:
            raise refused(f"{role} twice")
        changes[role] = _role_wish(element, limits)
    entries = sum(len(wish.add) + len(wish.remove) for wish in changes.values())
    if not entries:
        raise refused("nobody to add or remove")
    if entries > limits.principals:
        raise CommandRefused(ResponseCode.ERROR_LIMIT_EXCEEDED, f"{entries} principals in one change")
    return ModifyRoles(room, changes, updated_on)


def _role(element: Element, name: str) -> RoleWord:
    role = word_of(element, name, ROLES)
    if role is None:
        raise refused("no role")
    return role


def _role_wish(element: Element, limits: CommandLimits) -> RoleWish:
    add, remove = _uris(element, "add", limits), _uris(element, "remove", limits)
    if {uri.casefold() for uri in add} & {uri.casefold() for uri in remove}:
        raise refused("somebody is to be added and removed")
    return RoleWish(add, remove)


def _uris(element: Element, name: str, limits: CommandLimits) -> tuple[str, ...]:
    found: Sequence[str] = [
        attribute(entry, "uri", limits.uri_chars).strip() for entry in children(element, name)
    ]
    if not all(found):
        raise refused(f"empty uri in {name}")
    return tuple(dict.fromkeys(found))


def read_principal_search(data: Element | None, limits: CommandLimits) -> UserSearch | RoleSearch:
    """Read ``prinsrch``: for a role its word and its room or category, for users what to look for."""
    block = one(data, "qib")
    qtype = attribute(block, "qtype", WORD_CHARACTERS, default="USERS").upper()
    criteria = attribute(block, "criteria", limits.criteria_chars, default="").strip()
    most = max_results(block)
    if qtype == "USERS":
        if not criteria:
            raise refused("no criteria")
        return UserSearch(criteria, most)
    if qtype != "FORROLE":
        raise refused("unknown qtype")
    role = _role(block, "role")
    uri = attribute(block, "uri", limits.uri_chars)
    if _CATEGORY_URI.fullmatch(uri):
        return RoleSearch(role, None, uri, criteria, most)
    return RoleSearch(role, RoomKey.parse_uri(uri), None, criteria, most)


READERS: dict[str, Reader] = {
    "chancreate": read_create_room,
    "chanmodify": read_modify_room,
    "chanroles": read_modify_roles,
    "getroles": read_room_question,
    "getperms": read_room_question,
    "getroster": read_room_question,
    "getaddins": read_no_arguments,
    "nodespermcreatechild": read_no_arguments,
    "prinsrch": read_principal_search,
}
