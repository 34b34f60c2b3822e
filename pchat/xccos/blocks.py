"""What clients are told of rooms, users, messages and the server; rendered by `pchat.xccos.writer`."""

from __future__ import annotations

from attrs import frozen


@frozen
class RoomBlock:
    """What clients are told of a room.

    Args:
        uri: ``ma-chan://domain/guid`` in its stored form; clients compare it byte for byte.
        name: The room's name.
        description: Its description.
        parent: ``ma-cat://`` URI of its category.
        behavior: ``NORMAL`` or ``AUDITORIUM``.
        visibility: ``OPEN``, ``SCOPED`` (closed) or ``PRIVATE`` (secret).
        participants: Number of joined users.
        filestore_uri: URL of the file web service; empty if there is none.
        disabled: Whether the room is closed for everybody.
        logged: Whether history is kept.
        invite: Whether new members are invited.
        filepost: Whether files may be posted.
        addin_id: GUID of the room's add-in; empty if it has none.
        addin_name: Its name.
        addin_url: Its URL.
        created_by: SIP URI of the creator.
        created_on: ISO 8601 time.
        updated_by: SIP URI of who changed it last.
        updated_on: ISO 8601 time.

    Source: docs/spec/xccos.md section 2.4 and chapter 10, "Room block emitted everywhere".
    """

    uri: str
    name: str
    description: str
    parent: str
    behavior: str
    visibility: str
    participants: int = 0
    filestore_uri: str = ""
    disabled: bool = False
    logged: bool = True
    invite: bool = False
    filepost: bool = False
    addin_id: str = ""
    addin_name: str = ""
    addin_url: str = ""
    created_by: str = ""
    created_on: str = ""
    updated_by: str = ""
    updated_on: str = ""


@frozen
class UserBlock:
    """What clients are told of a user or group.

    Args:
        uri: SIP URI, or ``ma-grp:`` of a group.
        guid: The principal's GUID.
        kind: 5 for users, 9 for groups.
        uname: Short name.
        disname: Display name.
        email: Mail address; empty if unknown.
        id: Number within one reply, target of ``aib/@value``; None outside of join replies.

    Source: docs/spec/xccos.md section 2.4 and chapter 10, "User block".
    """

    uri: str
    guid: str
    kind: int
    uname: str
    disname: str
    email: str = ""
    id: int | None = None


@frozen
class MessageBlock:
    """A message as all clients get it, live and in history.

    Args:
        room_uri: The room's URI in its stored form.
        author: SIP URI of the author.
        authdisp: The author's display name.
        ts: ISO 8601 time of the server, with ``Z``.
        chat_id: Number of the message in its room.
        alert: Whether it is of high importance.
        chat: Plain text.
        rtf: Formatted twin, if any.

    Source: docs/spec/xccos.md section 3.9 and chapter 10, "Message block".
    """

    room_uri: str
    author: str
    authdisp: str
    ts: str
    chat_id: int
    alert: bool
    chat: str
    rtf: str | None = None


@frozen
class ServerBlock:
    """What ``getserverinfo`` tells.

    Args:
        info_type: Echo of the request's; None if it had none.
        server_time: ISO 8601 time.
        search_limit: Most results of any query.
        message_size_limit: Bytes of a message.
        story_size_limit: Bytes of a story.
        root_uri: ``ma-cat://`` URI of the root category.
        db_version: GUID.
        display_name: The pool's name for people.
        room_management_url: Web page where rooms are managed; empty if there is none.

    Source: docs/spec/xccos.md section 3.2.
    """

    info_type: int | None
    server_time: str
    search_limit: int
    message_size_limit: int
    story_size_limit: int
    root_uri: str
    db_version: str
    display_name: str = ""
    room_management_url: str = ""
