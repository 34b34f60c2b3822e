"""Whom a message concerns although he is not in its room: what posting asks, whoever answers.

Source: docs/way-of-a-message.md ("When a topic feed catches a message").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pchat.directory.people import Principal
    from pchat.rooms.room import Room
    from pchat.store.messages import StoredMessage

#: The GUIDs of the feeds that catch a message, by user.
Caught = Mapping[int, tuple[str, ...]]
NOTHING: Caught = {}


class Listeners(Protocol):
    """Finds them before a message is committed, and tells them after it."""

    def evaluate(self, room: Room, author: Principal, text: str) -> Caught:
        """Tell whose feeds catch a message that is about to be committed."""

    def uris(self, caught: Caught) -> list[str]:
        """Name them, for the archive."""

    def deliver(self, room: Room, caught: Caught, message: StoredMessage) -> None:
        """Tell them; a right that went meanwhile wins."""
