"""What the administration interface answers, in the words of JSON Schema, by name.

Members may be added to an answer with any release, never taken away or renamed: a client ignores what it
does not know, so these descriptions leave objects open. What a request may hold is described by
`pchat.admin.fields` instead, which also checks it.

Source: docs/spec/persistent-chat-server.md sections 2.2 to 2.4 (names of the attributes); RFC 9457; OpenAPI
3.1.1 section 4.8.24.
"""

from __future__ import annotations

from pchat.admin.fields import Schema
from pchat.store.audit import KINDS

TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
COUNT: Schema = {"type": "integer", "minimum": 0}
TIME: Schema = {"type": "string", "format": "date-time"}
TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
#: The changed attributes of whatever it is; by name, values of any kind.
ATTRIBUTES: Schema = {"type": ["object", "null"]}


def reference(name: str) -> Schema:
    """Refer to another schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def listing(name: str) -> Schema:
    """Describe a listing."""
    return {"type": "array", "items": reference(name)}


def obj(about: str, /, optional: Schema | None = None, **members: Schema) -> Schema:
    """Describe an object.

    Args:
        about: What it is.
        optional: Members that are not always there.
        members: Those that always are.
    """
    return {
        "type": "object",
        "description": about,
        "properties": {**members, **(optional or {})},
        "required": list(members),
    }


def word(*words: str) -> Schema:
    """Describe one of a few words."""
    return {"type": "string", "enum": list(words)}


_ROOM_USAGE: Schema = {
    "type": "array",
    "items": obj(
        "A room and how much was said in it.",
        uri=TEXT,
        name=TEXT,
        category=TEXT,
        messages=COUNT,
        last_message={"type": ["string", "null"], "format": "date-time"},
    ),
}
_TREND: Schema = {
    "type": "array",
    "items": obj("The messages of a day, a week or a month.", **{"from": TEXT, "messages": COUNT}),
}
_AUDITED: dict[str, Schema] = {
    "created_by": TEXT,
    "created_on": TIME,
    "updated_by": TEXT,
    "updated_on": TIME,
}
_PURGED: dict[str, Schema] = {"purged_on": {"type": ["string", "null"], "format": "date-time"}}
_PRIVACY = word("open", "closed", "secret")
_TYPE = word("normal", "auditorium")
_ROLES: dict[str, Schema] = {
    "managers": listing("RoleEntry"),
    "members": listing("RoleEntry"),
    "presenters": listing("RoleEntry"),
}
_ROOM: dict[str, Schema] = {
    "uri": TEXT,
    "name": TEXT,
    "category": TEXT,
    "description": TEXT,
    "privacy": _PRIVACY,
    "type": _TYPE,
    "invitations": word("inherit", "false"),
    "addin": TEXT_OR_NULL,
    "disabled": FLAG,
    **_AUDITED,
    **_PURGED,
}

_GROUP: dict[str, Schema] = {
    "uri": TEXT,
    "guid": TEXT,
    "name": TEXT,
    "description": TEXT,
    "number_of_members": COUNT,
}

SCHEMAS: dict[str, Schema] = {
    "UsageReport": obj(
        "How much was said, where and by whom.",
        since=TIME,
        until=TIME,
        messages=COUNT,
        top_rooms=_ROOM_USAGE,
        least_active_rooms=_ROOM_USAGE,
        silent_rooms=_ROOM_USAGE,
        silent_rooms_total=COUNT,
        top_users={
            "type": "array",
            "items": obj("An author.", uri=TEXT, display_name=TEXT, messages=COUNT),
        },
        daily=_TREND,
        weekly=_TREND,
        monthly=_TREND,
    ),
    "User": obj(
        "An account; `enabled` tells whether chat is on for it, by its state and its policy.",
        uri=TEXT,
        guid=TEXT,
        name=TEXT,
        display_name=TEXT,
        company=TEXT,
        email=TEXT,
        state=word("active", "disabled", "removed"),
        enabled=FLAG,
        optional={**_AUDITED, "groups": listing("RoleEntry")},
    ),
    "InvitationEntry": obj(
        "A live invitation of a user.", invite_id=COUNT, room=TEXT, room_uri=TEXT, created_on=TIME
    ),
    "Policy": obj(
        "Whether chat is on: for one user, or for all who have no policy of their own.",
        scope=word("global", "user"),
        uri=TEXT_OR_NULL,
        enabled=FLAG,
        description=TEXT,
    ),
    "RoleEntry": obj(
        "Somebody on a role list, in a scope or in a group; a group has its name too.",
        uri=TEXT,
        kind=word("user", "group", "domain"),
        optional={
            "name": TEXT,
            "granted_by": TEXT_OR_NULL,
            "granted_on": {"type": ["string", "null"], "format": "date-time"},
        },
    ),
    "Addin": obj(
        "A web page that rooms may show beside the conversation.",
        guid=TEXT,
        name=TEXT,
        url=TEXT,
        number_of_chat_rooms=COUNT,
        **_AUDITED,
    ),
    "GroupSummary": obj("A group as it stands in a listing.", **_GROUP),
    "Group": obj(
        "A group with those who belong to it directly, and the groups that it belongs to directly.",
        **_GROUP,
        members=listing("RoleEntry"),
        groups=listing("RoleEntry"),
        **_AUDITED,
    ),
    "RemovedGroup": obj(
        "What a removed group was taken from: of `room`, `category` and `group` one is not null.",
        removed=listing("RemovedEntry"),
    ),
    "RemovedUser": obj(
        "What a removed account was taken from: of `room`, `category` and `group` one is not null.",
        removed=listing("RemovedEntry"),
    ),
    "EligibleUser": obj(
        "A user who could be given a role.",
        uri=TEXT,
        name=TEXT,
        display_name=TEXT,
        company=TEXT,
        email=TEXT,
    ),
    "RemovedEntry": obj(
        "A role that a change took away; `room` is null for the creators of a category, `place` is a name.",
        room=TEXT_OR_NULL,
        place=TEXT,
        role=TEXT,
        uri=TEXT,
        optional={"name": TEXT, "category": TEXT_OR_NULL, "group": TEXT_OR_NULL},
    ),
    "Category": obj(
        "A category; who is allowed and not denied may use its rooms. `new_domains` are those that a change"
        " was the first to name.",
        uri=TEXT,
        name=TEXT,
        description=TEXT,
        invitations=FLAG,
        file_upload=FLAG,
        chat_history=FLAG,
        allowed_members=listing("RoleEntry"),
        denied_members=listing("RoleEntry"),
        creators=listing("RoleEntry"),
        number_of_chat_rooms=COUNT,
        **_AUDITED,
        **_PURGED,
        optional={"removed": listing("RemovedEntry"), "new_domains": {"type": "array", "items": TEXT}},
    ),
    "RoomSummary": obj("A room as it stands in a listing.", **_ROOM),
    "Room": obj(
        "A room with its role lists; shown by itself, with the number and the size of its messages.",
        **_ROOM,
        **_ROLES,
        optional={"removed": listing("RemovedEntry"), "messages": COUNT, "content_bytes": COUNT},
    ),
    "FoundMessages": obj(
        "Messages that were found, oldest first; `exceeded` tells that there are older ones.",
        messages=listing("FoundMessage"),
        exceeded=FLAG,
    ),
    "FoundMessage": obj(
        "A message and where it was said.",
        room=TEXT,
        room_uri=TEXT,
        chat_id=COUNT,
        time=TIME,
        author=TEXT,
        text=TEXT,
        alert=FLAG,
    ),
    "MessagePiece": obj(
        "A piece of long work; `next` and `upto` are `after` and `upto` of the next one, if there is one.",
        changed=COUNT,
        examined=COUNT,
        next={"type": ["integer", "null"]},
        upto=COUNT,
        left=COUNT,
    ),
    "CountedPiece": obj(
        "How many messages pass a filter, of a piece of a room; `next` and `upto` as with `MessagePiece`.",
        messages=COUNT,
        examined=COUNT,
        next={"type": ["integer", "null"]},
        upto=COUNT,
        left=COUNT,
    ),
    "Settings": {
        "type": "object",
        "description": "The settings of the channel service, by name.",
        "additionalProperties": {"type": ["integer", "string"]},
    },
    "Status": obj(
        "How the server is, in groups; of a store that no server uses only `store` and `compliance`.",
        optional={
            "version": TEXT,
            "server": TEXT,
            "uptime_seconds": COUNT,
            "listeners": {"type": "object", "additionalProperties": {"type": "array", "items": TEXT}},
            "store": {"type": "object"},
            "sessions": {"type": "object", "additionalProperties": COUNT},
            "traffic": {"type": "object", "additionalProperties": COUNT},
            "queues": {"type": "object", "additionalProperties": COUNT},
            "compliance": obj("What is recorded.", enabled=FLAG, outbox_depth=COUNT),
        },
    ),
    "Token": obj(
        "A token for this interface. `token`, the secret itself, is told once: when it is made.",
        name=TEXT,
        scopes={"type": "array", "items": TEXT},
        state=word("active", "expired", "revoked"),
        created_by=TEXT,
        created_on=TIME,
        expires_on=TIME,
        revoked_on={"type": ["string", "null"], "format": "date-time"},
        optional={"token": TEXT},
    ),
    "AuditEntry": obj(
        "A change that was made; `before` and `after` hold the attributes that it changed.",
        time=TIME,
        actor=TEXT,
        action=TEXT,
        kind=word(*KINDS),
        object=TEXT,
        before=ATTRIBUTES,
        after=ATTRIBUTES,
    ),
    "Description": {"type": "object", "description": "This description itself."},
    "Problem": obj(
        "Why a request was refused (RFC 9457); `code` never changes.",
        type={"type": "string", "format": "uri"},
        title=TEXT,
        status={"type": "integer"},
        detail=TEXT,
        code=TEXT,
    ),
    "Users": listing("User"),
    "Policies": listing("Policy"),
    "InvitationEntries": listing("InvitationEntry"),
    "RoleEntries": listing("RoleEntry"),
    "Groups": listing("GroupSummary"),
    "EligibleUsers": listing("EligibleUser"),
    "Addins": listing("Addin"),
    "Categories": listing("Category"),
    "Rooms": listing("RoomSummary"),
    "Tokens": listing("Token"),
    "AuditEntries": listing("AuditEntry"),
}


def is_listing(name: str) -> bool:
    """Tell whether a schema is that of a listing."""
    return SCHEMAS.get(name, {}).get("type") == "array"
