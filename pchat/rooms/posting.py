"""What a message may be, and its way into the store: the 200 to its author is a promise.

Source: docs/spec/persistent-chat-server.md F-7, F-8; docs/spec/xccos.md 3.9; docs/way-of-a-message.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger

from pchat.errors import SipRefused
from pchat.interfaces import Random
from pchat.rooms.session import BUSY, acknowledge
from pchat.store.messages import AppendOutcome, NewMessage, Stale

if TYPE_CHECKING:
    from pchat.fanout.feed import Feeds
    from pchat.rooms.access import Access
    from pchat.rooms.room import Room
    from pchat.rooms.service import IChatStore
    from pchat.rooms.session import ChatSession
    from pchat.rooms.settings import Settings
    from pchat.rooms.tree import NodeTree
    from pchat.sip.message import Request
    from pchat.xccos.parser import Post

log = Logger()

#: A message that begins so is a story and has a limit of its own.
STORY_MARK = "[STORY]"
#: RTF wraps the same text in control words; this much more of it is still the same message.
RTF_FACTOR = 8
#: Rights may keep changing while a post waits: after so many decisions the author is told to come again.
DECISIONS = 5


class Posting:
    """Takes posts.

    Args:
        store: The chat store.
        tree: The node tree; its revision says which state a decision was made on.
        access: Who may post where.
        settings: The size limits.
        feeds: Where committed messages go.
        random: Unpredictable bytes, for message ids.
    """

    def __init__(
        self,
        store: IChatStore,
        tree: NodeTree,
        access: Access,
        settings: Settings,
        feeds: Feeds,
        random: Random,
    ) -> None:
        self._store = store
        self._tree = tree
        self._access = access
        self._settings = settings
        self._feeds = feeds
        self._random = random
        self.waiting = 0
        self.stopping = False

    def post(self, session: ChatSession, request: Request, post: Post) -> Deferred[None]:
        """Commit a message, answer its INFO with 200 and deliver it.

        Args:
            session: The author's.
            request: The INFO that is answered once the commit is done.
            post: What he wrote; his claims about author and time are not looked at.

        Returns:
            Fires after the 200; fails with `SipRefused` or `StoreUnavailable` if nothing was committed.
        """
        if self.stopping:
            return fail(SipRefused(503, "The server is stopping", diagnostics=BUSY, retry_after=10))
        try:
            self._check_size(post)
            room = self._room_of(session, post)
            message_id = self._random(16).hex()
            appended = self._append(session, room, post, message_id)
        except SipRefused as error:
            return fail(error)
        self.waiting += 1
        appended.addBoth(self._no_longer_waiting)
        return appended.addCallback(self._committed, session, request, room, post, message_id, 1)

    def _no_longer_waiting(self, result: object) -> object:
        self.waiting -= 1
        return result

    def _check_size(self, post: Post) -> None:
        if not post.chat:
            raise SipRefused(400, "The message is empty")
        story = post.chat.startswith(STORY_MARK)
        limit = self._settings.story_size_limit if story else self._settings.message_size_limit
        # Fewer characters than a quarter of the limit cannot be too many bytes.
        if len(post.chat) * 4 > limit and len(post.chat.encode()) > limit:
            raise SipRefused(413, f"The message is longer than {limit} bytes")
        if post.rtf is not None and len(post.rtf.encode()) > limit * RTF_FACTOR:
            raise SipRefused(413, f"The formatted message is longer than {limit * RTF_FACTOR} bytes")

    def _room_of(self, session: ChatSession, post: Post) -> Room:
        room = self._tree.room_by_uri(post.chan_uri)
        if room is None or room.id not in session.rosters:
            # The same words whether the room exists or not: a secret room must not show.
            raise SipRefused(403, "You have not joined this room")
        refused = self._access.refusal_to_post(session.user, room)
        if refused is not None:
            raise SipRefused(403, f"You may not post in this room ({refused.symbol})")
        return room

    def _append(
        self, session: ChatSession, room: Room, post: Post, message_id: str
    ) -> Deferred[list[AppendOutcome]]:
        user = session.user
        message = NewMessage(
            message_id=message_id,
            room_id=room.id,
            room_uri=room.uri,
            room_name=room.name,
            author_id=user.id,
            author_uri=user.uri,
            author_name=user.shown_name,
            chat=post.chat,
            rtf=post.rtf,
            alert=post.alert,
            logged=room.logged,
            revision=self._tree.revision,
        )
        return self._store.append([message])

    def _committed(
        self,
        outcomes: list[AppendOutcome],
        session: ChatSession,
        request: Request,
        room: Room,
        post: Post,
        message_id: str,
        decision: int,
    ) -> Deferred[None] | None:
        outcome = outcomes[0]
        if isinstance(outcome, Stale):
            return self._decide_again(session, request, post, message_id, decision)
        acknowledge(session, request)
        try:
            self._feeds.of(room).committed(outcome, session.user, post)
        except Exception:
            # The author has his 200 and the store has the message: nothing may be taken back.
            log.failure("{room}: message {chat_id} was not delivered", room=room.uri, chat_id=outcome.chat_id)
        return None

    def _decide_again(
        self, session: ChatSession, request: Request, post: Post, message_id: str, decision: int
    ) -> Deferred[None]:
        # A change of rights was committed before the post: it wins, so the post is decided once more.
        if decision >= DECISIONS:
            raise SipRefused(503, "Chat service busy", diagnostics=BUSY, retry_after=1)
        room = self._room_of(session, post)
        appended = self._append(session, room, post, message_id)
        return appended.addCallback(self._committed, session, request, room, post, message_id, decision + 1)
