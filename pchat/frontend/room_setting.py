"""The category roomSetting: which room a user follows, as far as its payload tells.

Clients keep their list of followed rooms here, one publication a room. The payload is theirs: it is
stored and returned unchanged whatever it holds, and nothing in the chat service depends on it.

Source: docs/spec/presence.md section 6.
"""

from __future__ import annotations

from attrs import frozen

from pchat.frontend.markup import local_name, parse_payload

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
