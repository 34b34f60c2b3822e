"""The attributes of a room as words: what operators type, what compliance is told."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, TypeVar

from pchat.errors import AdministrationRefused
from pchat.rooms.addins import Addins
from pchat.rooms.category import Category
from pchat.rooms.names import check_description, check_name, fold
from pchat.rooms.room import Behavior, Privacy, Room
from pchat.store.addins import AddinRecord
from pchat.store.rooms import RoomFields
from pchat.xccos.codes import ResponseCode

#: No name is longer, and folding a megabyte takes its time.
TEXT_CHARACTERS = 1_024

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


def told(fields: RoomFields, category: Category, addins: Addins) -> dict[str, Any]:
    """Write the attributes for compliance and audit, in words that mean something without the store.

    Args:
        fields: The attributes.
        category: The category that they name by its number.
        addins: The add-ins that are registered.
    """
    addin = addins.by_guid(fields.addin_guid)
    return {
        "category": category.uri,
        "category_name": category.name,
        "name": fields.name,
        "description": fields.description,
        "privacy": Privacy(fields.privacy).word,
        "type": Behavior(fields.behavior).word,
        "invitations": "inherit" if fields.invitations is None else "false",
        "addin": addin.name if addin else None,
        "disabled": fields.disabled,
    }


def changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Tell of two accounts of the same attributes those that differ: what they were, and what they are."""
    names = [name for name in new if old[name] != new[name]]
    return {name: old[name] for name in names}, {name: new[name] for name in names}


def read_words(
    addins: Addins,
    *,
    name: str | None,
    description: str | None,
    privacy: str | None,
    behavior: str | None,
    invitations: str | None,
    addin: str | None,
) -> dict[str, Any]:
    """Read the attributes that were given.

    Args:
        addins: The add-ins that are registered.
        name, description: One line each.
        privacy, behavior, invitations: Words of the attributes.
        addin: Name or GUID of an add-in; empty for none.

    Returns:
        Arguments of `RoomFields`; None was not given and is left out.

    Raises:
        AdministrationRefused: Not to be a name, a word that is none of those known, or an add-in that is not
            registered.
    """
    given: dict[str, Any] = {}
    if name is not None:
        given["name"] = check_name(name, "room")
        given["name_folded"] = fold(given["name"])
    if description is not None:
        given["description"] = check_description(description)
    if privacy is not None:
        given["privacy"] = read_word(Privacy, privacy, "privacy")
    if behavior is not None:
        given["behavior"] = read_word(Behavior, behavior, "type")
    if invitations is not None:
        given["invitations"] = read_invitations(invitations)
    if addin is not None:
        given["addin_guid"] = known_addin(addins, addin).guid if addin.strip() else None
    return given


def known_addin(addins: Addins, text: str) -> AddinRecord:
    """Find an add-in by its name or GUID.

    Raises:
        AdministrationRefused: There is none.
    """
    found = addins.find(text) if len(text) <= TEXT_CHARACTERS else None
    if found is None:
        raise AdministrationRefused(ResponseCode.ERROR_NO_SUCH_NODE, f"there is no add-in {text[:80]!r}")
    return found


def read_invitations(text: str) -> bool | None:
    """Read ``inherit`` (None) or ``false``.

    Raises:
        AdministrationRefused: Another word.
    """
    word = text.lower()
    if word not in {"inherit", "false"}:
        raise AdministrationRefused(
            ResponseCode.ERROR_INVALID_ARGUMENT, "invitations must be inherit or false"
        )
    return None if word == "inherit" else False


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
