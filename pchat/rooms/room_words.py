"""The attributes of a room as words: what operators type, what compliance is told."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, TypeVar

from pchat.errors import AdministrationRefused
from pchat.rooms.category import Category
from pchat.rooms.names import fold
from pchat.rooms.room import Behavior, Privacy, Room
from pchat.store.rooms import RoomFields
from pchat.xccos.codes import ResponseCode

Word = TypeVar("Word", bound=IntEnum)


def fields_of(room: Room) -> RoomFields:
    """Take the attributes of a room as it is."""
    return RoomFields(
        category_id=room.category.id,
        name=room.name,
        name_folded=fold(room.name),
        description=room.description,
        privacy=room.privacy,
        behavior=room.behavior,
        invitations=room.invitations,
        addin_guid=room.addin_guid,
        disabled=room.disabled,
    )


def told(fields: RoomFields, category: Category) -> Mapping[str, Any]:
    """Write the attributes for a compliance event, in words that mean something without the store.

    Args:
        fields: The attributes.
        category: The category that they name by its number.
    """
    return {
        "category": category.uri,
        "category_name": category.name,
        "name": fields.name,
        "description": fields.description,
        "privacy": Privacy(fields.privacy).word,
        "type": Behavior(fields.behavior).word,
        "invitations": "inherit" if fields.invitations is None else "false",
        "addin": fields.addin_guid,
        "disabled": fields.disabled,
    }


def read_words(
    *, privacy: str | None, behavior: str | None, invitations: str | None, addin: str | None
) -> dict[str, Any]:
    """Read the words that were given.

    Returns:
        Arguments of `RoomFields`; None was not given and is left out.

    Raises:
        AdministrationRefused: A word that is none of those known, or an add-in that is not registered.
    """
    given: dict[str, Any] = {}
    if privacy is not None:
        given["privacy"] = read_word(Privacy, privacy, "privacy")
    if behavior is not None:
        given["behavior"] = read_word(Behavior, behavior, "type")
    if invitations is not None:
        if invitations not in {"inherit", "false"}:
            raise AdministrationRefused(
                ResponseCode.ERROR_INVALID_ARGUMENT, "invitations must be inherit or false"
            )
        given["invitations"] = None if invitations == "inherit" else False
    if addin:
        # Add-ins come with the whole channel service; none can be registered yet.
        raise AdministrationRefused(ResponseCode.ERROR_NO_SUCH_NODE, f"there is no add-in {addin[:80]!r}")
    if addin is not None:
        given["addin_guid"] = None
    return given


def read_word(kind: type[Word], text: str, what: str) -> Word:
    """Read one word of an enumeration, in any case.

    Raises:
        AdministrationRefused: Another word.
    """
    try:
        return kind[text.upper()]
    except KeyError:
        words = ", ".join(word.name.lower() for word in kind)
        raise AdministrationRefused(
            ResponseCode.ERROR_INVALID_ARGUMENT, f"{what} must be one of {words}, not {text[:40]!r}"
        ) from None
