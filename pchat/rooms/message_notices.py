"""What people in a room are told of messages that an administrator removed or replaced.

Source: docs/spec/xccos.md chapter 10 (``ntc:msgremoved``, ``ntc:msgreplaced``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zope.interface import implementer

from pchat.rooms.observers import ChangeObserver, IChangeObserver
from pchat.sip.dialog import info_payload
from pchat.xccos.history_writer import removed_messages, replaced_messages
from pchat.xccos.writer import EnvelopeIds, notice

if TYPE_CHECKING:
    from pchat.directory.local import LocalDirectory
    from pchat.fanout.feed import Feeds
    from pchat.rooms.blocks import Blocks
    from pchat.rooms.room import Room
    from pchat.rooms.roster import Rosters
    from pchat.store.messages import StoredMessage

#: Messages of one notice: every session in the room holds its copy until it is sent.
REMOVED_PER_NOTICE = 500
REPLACED_PER_NOTICE = 50


@implementer(IChangeObserver)
class MessageNotices(ChangeObserver):
    """Tells everybody in a room, so that what was taken back does not stay on their screens.

    Args:
        rosters: Who is in which room.
        feeds: Live messages; those that wait there are changed too.
        blocks: Wire forms.
        directory: Authors.
        envelope_ids: Numbers of our envelopes.
    """

    def __init__(
        self,
        rosters: Rosters,
        feeds: Feeds,
        blocks: Blocks,
        directory: LocalDirectory,
        envelope_ids: EnvelopeIds,
    ) -> None:
        self._rosters = rosters
        self._feeds = feeds
        self._blocks = blocks
        self._directory = directory
        self._envelope_ids = envelope_ids

    def messages_removed(self, room: Room, chat_ids: Sequence[int]) -> None:
        """Tell which messages are gone."""
        self._feeds.removed(room, chat_ids)
        for start in range(0, len(chat_ids), REMOVED_PER_NOTICE):
            part = chat_ids[start : start + REMOVED_PER_NOTICE]
            self._tell(room, "msgremoved", removed_messages(room.uri, part))

    def messages_replaced(self, room: Room, messages: Sequence[StoredMessage]) -> None:
        """Show the messages as they read now."""
        self._feeds.replaced(room, messages)
        by_id = self._directory.by_id
        for start in range(0, len(messages), REPLACED_PER_NOTICE):
            part = messages[start : start + REPLACED_PER_NOTICE]
            shown = [self._blocks.message(room, message, by_id(message.author_id)) for message in part]
            self._tell(room, "msgreplaced", replaced_messages(room.uri, shown))

    def _tell(self, room: Room, name: str, data: str) -> None:
        roster = self._rosters.find(room.id)
        if roster is None:
            return
        payload = info_payload(notice(self._envelope_ids.next(), name, data))
        for session in list(roster.sessions):
            session.send(payload)
