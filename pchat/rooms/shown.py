"""How people, categories and rooms are shown to operators: the values of every listing's JSON.

Source: docs/spec/persistent-chat-server.md sections 2.2 to 2.4 (names of the attributes).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pchat import ticks
from pchat.directory.local import LocalDirectory
from pchat.directory.people import Principal
from pchat.rooms.category import Category
from pchat.rooms.room import Role, Room
from pchat.store.people import PolicyRecord, PrincipalAudit

Shown = dict[str, Any]


def user_shown(user: Principal, directory: LocalDirectory) -> Shown:
    """Show a user account; ``enabled`` tells whether chat is on for it, by account and policy."""
    return {
        "uri": user.uri,
        "guid": user.guid,
        "name": user.name,
        "display_name": user.display_name,
        "company": user.company,
        "email": user.email,
        "state": user.state.name.lower(),
        "enabled": directory.enabled(user),
    }


def audit_shown(audit: PrincipalAudit | Category | Room) -> Shown:
    """Show who made and who changed something; times in ISO 8601."""
    return {
        "created_by": audit.created_by,
        "created_on": ticks.to_iso(audit.created_on),
        "updated_by": audit.updated_by,
        "updated_on": ticks.to_iso(audit.updated_on),
    }


def policy_shown(policy: PolicyRecord, directory: LocalDirectory) -> Shown:
    """Show a policy; ``uri`` is that of the user, None for the global one."""
    user = directory.by_id(policy.principal_id)
    return {
        "scope": policy.scope,
        "uri": user.uri if user else None,
        "enabled": policy.enabled,
        "description": policy.description,
    }


def principals_shown(numbers: Iterable[int], directory: LocalDirectory) -> list[Shown]:
    """Show a role list or scope list, by URI."""
    known = [principal for number in numbers if (principal := directory.by_id(number)) is not None]
    return [
        {"uri": principal.uri, "kind": principal.kind.name.lower()}
        for principal in sorted(known, key=lambda principal: principal.key)
    ]


def category_shown(category: Category, rooms: int, directory: LocalDirectory) -> Shown:
    """Show a category with its lists and the number of its rooms."""
    return {
        "uri": category.uri,
        "name": category.name,
        "description": category.description,
        "invitations": category.invitations,
        "file_upload": category.file_upload,
        "chat_history": category.logged,
        "allowed_members": principals_shown(category.allowed, directory),
        "denied_members": principals_shown(category.denied, directory),
        "creators": principals_shown(category.creators, directory),
        "number_of_chat_rooms": rooms,
        **audit_shown(category),
    }


def removed_shown(
    room_uri: str | None, pairs: Iterable[tuple[str, int]], directory: LocalDirectory
) -> list[Shown]:
    """Show role entries that a change took away with it; ``room`` is None for the creators of a category."""
    return [
        {"room": room_uri, "role": role, "uri": directory.uri_of(number)} for role, number in sorted(pairs)
    ]


def room_shown(room: Room) -> Shown:
    """Show a room without its role lists, as it stands in a listing."""
    return {
        "uri": room.uri,
        "name": room.name,
        "category": room.category.name,
        "description": room.description,
        "privacy": room.privacy.word,
        "type": room.behavior.word,
        "invitations": "inherit" if room.invitations is None else "false",
        "addin": room.addin_guid,
        "disabled": room.disabled,
        **audit_shown(room),
    }


def room_shown_in_full(room: Room, directory: LocalDirectory) -> Shown:
    """Show a room with its role lists."""
    return room_shown(room) | {
        f"{role.value}s": principals_shown(room.holders(role), directory) for role in Role
    }
