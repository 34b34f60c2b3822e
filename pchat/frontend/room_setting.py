"""The category roomSetting: which room a user follows, as far as its payload tells.

Clients keep their list of followed rooms here, one publication a room. The payload is theirs: it is
stored and returned unchanged whatever it holds. The chat service only asks which rooms are followed, so that
topic feeds know where to look; whatever else it holds matters to nobody here.

Source: docs/spec/presence.md section 6.
"""

from __future__ import annotations

from attrs import evolve, frozen

from pchat.errors import CommandRefused
from pchat.frontend.markup import local_name, parse_payload
from pchat.interfaces import ITransaction
from pchat.store.publications import change_publications, load_publications, publishers, rooms_named
from pchat.store.topics import replace_followed
from pchat.xccos.arguments import RoomKey

CATEGORY = "roomSetting"


@frozen
class FollowedRoom:
    """What a payload says, for an administrator to read.

    Args:
        url: URI of the room, ``ma-chan://domain/guid``; '' if it is not told.
        name: Name of the room when it was followed; '' if it is not told.
    """

    url: str
    name: str


def followed_room(payload: bytes) -> FollowedRoom:
    """Read a payload as well as possible; it is never refused.

    Properties may stand at any depth; a value is the text of the first child, be that text or an element.
    """
    root = parse_payload(payload)
    found: dict[str, str] = {}
    for element in root.iter() if root is not None else ():
        if local_name(element) == "property":
            text = (element.text or "").strip()
            if not text and len(element):
                text = (element[0].text or "").strip()
            found.setdefault(element.get("name", ""), text)
    return FollowedRoom(found.get("url", ""), found.get("name", ""))


def followed_guid(payload: bytes) -> str | None:
    """Tell the GUID of the room that a payload names, folded; None if it names none."""
    try:
        return RoomKey.parse_uri(followed_room(payload).url.strip()).guid
    except CommandRefused:
        return None


async def follow_published(txn: ITransaction, user_id: int) -> tuple[int, ...]:
    """Write down which rooms a user follows, from what his clients have published durably.

    No payload is read here, where all writers wait: what each names was told when it was written.

    Returns:
        The numbers of the rooms, in their order; what names no room of ours is left out.
    """
    return await replace_followed(txn, user_id, await rooms_named(txn, user_id, CATEGORY))


async def follow_all_published(txn: ITransaction) -> None:
    """Write down which rooms everybody follows, where the publications are older than that table.

    Only when a server starts: it reads payloads.
    """
    if not await txn.query("select 1 from followed_rooms limit 1"):
        for user_id in await publishers(txn, CATEGORY):
            rows = [row for row in await load_publications(txn, user_id) if row.category == CATEGORY]
            known = [evolve(row, room_guid=followed_guid(row.payload)) for row in rows]
            await change_publications(txn, user_id, known)
            await follow_published(txn, user_id)
