"""From a post to the notices of those whose feeds catch it: decided before the commit, told after it.

Source: docs/xccos-extensions.md ("Topic feeds"); docs/way-of-a-message.md.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from twisted.internet.defer import ensureDeferred
from twisted.logger import Logger

from pchat.errors import StoreError
from pchat.rooms.listeners import NOTHING, Caught
from pchat.sip.dialog import info_payload
from pchat.store.topics import trim_hits
from pchat.xccos.topic_writer import hit
from pchat.xccos.writer import EnvelopeIds, notice

if TYPE_CHECKING:
    from pchat.directory.local import LocalDirectory
    from pchat.directory.people import Principal
    from pchat.interfaces import IStore
    from pchat.rooms.access import Access
    from pchat.rooms.blocks import Blocks
    from pchat.rooms.room import Room
    from pchat.rooms.service import Sessions
    from pchat.rooms.session import ChatSession
    from pchat.rooms.tree import NodeTree
    from pchat.store.messages import StoredMessage
    from pchat.topics.feeds import TopicFeeds

log = Logger()

#: New hits of a user after which the store is asked to forget his oldest.
TRIM_AFTER = 100
#: Users of one transaction: less than a tenth of a second, in which no post is committed.
TRIM_AT_ONCE = 50


class TopicHits:
    """Finds who is to be told of a message although he is not in its room, and tells him.

    Args:
        store: Forgets old hits.
        feeds: Everybody's feeds.
        tree: Whether a room still exists.
        access: Who may read what.
        sessions: Everybody's chat sessions.
        directory: People by id.
        blocks: Wire forms.
        envelope_ids: Numbers of our envelopes.
    """

    def __init__(
        self,
        store: IStore,
        feeds: TopicFeeds,
        tree: NodeTree,
        access: Access,
        sessions: Sessions,
        directory: LocalDirectory,
        blocks: Blocks,
        envelope_ids: EnvelopeIds,
    ) -> None:
        self._store = store
        self._feeds = feeds
        self._tree = tree
        self._access = access
        self._sessions = sessions
        self._directory = directory
        self._blocks = blocks
        self._envelope_ids = envelope_ids
        self._since_trimmed: Counter[int] = Counter()
        self._trimming = False

    # -- before the commit

    def evaluate(self, room: Room, author: Principal, text: str) -> Caught:
        """Tell whose feeds catch a message that is about to be committed.

        Only who follows the room, may read it now and is in it with no endpoint; never the author.
        """
        if not self._feeds.anybody_follows(room):
            return NOTHING

        def listens(user_id: int) -> bool:
            user = self._directory.by_id(user_id)
            return user is not None and user is not author and self._may_be_told(user, room)

        return self._feeds.caught(room, author.id, text, listens)

    def _may_be_told(self, user: Principal, room: Room) -> bool:
        present = any(room.id in session.rosters for session in self._sessions.of(user))
        return not present and self.may_read(user, room)

    def may_read(self, user: Principal, room: Room) -> bool:
        """Tell whether a user may read a room that still exists."""
        exists = self._tree.room_by_id(room.id) is room
        return exists and self._access.refusal_to_read_history(user, room) is None

    def uris(self, caught: Caught) -> list[str]:
        """Name those whose feeds catch a message, for the archive."""
        return [self._directory.uri_of(user_id) for user_id in caught]

    # -- after the commit

    def deliver(self, room: Room, caught: Caught, message: StoredMessage) -> None:
        """Tell everybody concerned; a right that went meanwhile wins."""
        if not caught:
            return
        block = self._blocks.message(room, message, self._directory.by_id(message.author_id))
        # Most are told of the same feeds, by name: ``ego``. They share the rendered notice.
        rendered: dict[tuple[str, ...], bytes] = {}
        for user_id, guids in caught.items():
            user = self._directory.by_id(user_id)
            if room.logged:
                self._since_trimmed[user_id] += 1
            if user is None or not self._may_be_told(user, room):
                continue
            for session in self._listening(user):
                payload = rendered.get(guids)
                if payload is None:
                    data = hit(room.name, block, guids)
                    payload = rendered[guids] = info_payload(notice(self._envelope_ids.next(), "topic", data))
                _send(session, payload)

    def _listening(self, user: Principal) -> list[ChatSession]:
        """Tell the sessions of clients that know topic feeds: those that have asked for any."""
        return [session for session in self._sessions.of(user) if session.knows_topics]

    def tell_others(self, teller: ChatSession, data: str) -> None:
        """Tell the other endpoints of a user that his feeds changed."""
        payload = info_payload(notice(self._envelope_ids.next(), "topics", data))
        for session in self._listening(teller.user):
            if session is not teller:
                _send(session, payload)

    # -- bounds

    def sweep(self) -> None:
        """Have the store forget the oldest hits of those who got many since it last did."""
        if not self._trimming:
            ensureDeferred(self._trim())

    async def _trim(self) -> None:
        self._trimming = True
        full = [user_id for user_id, count in self._since_trimmed.items() if count >= TRIM_AFTER]
        try:
            for start in range(0, len(full), TRIM_AT_ONCE):
                some = full[start : start + TRIM_AT_ONCE]
                counted = {user_id: self._since_trimmed[user_id] for user_id in some}
                await self._store.write(trim_hits, some)
                self._since_trimmed.subtract(counted)
        except StoreError as error:
            # With the next sweep; until then there are a few too many.
            log.warn("old topic hits are kept for now: {error}", error=str(error))
        finally:
            self._trimming = False


def _send(session: ChatSession, payload: bytes) -> None:
    try:
        session.send(payload)
    except Exception:
        # One receiver's trouble must not keep the notice from the others.
        log.failure("{session}: not told", session=session.label)
        session.dialog.connection.abort("a notice could not be sent")
