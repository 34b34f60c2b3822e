"""What a message may be, and its way into the store: the 200 to its author is a promise.

Source: docs/spec/persistent-chat-server.md F-7, F-8; docs/spec/xccos.md 3.9; docs/way-of-a-message.md.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from attrs import define
from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger

from pchat.errors import SipRefused
from pchat.interfaces import IStore, Random
from pchat.rooms.listeners import NOTHING, Caught, Listeners
from pchat.rooms.session import BUSY, acknowledge
from pchat.store.messages import AppendOutcome, NewMessage, Stale, StoredMessage
from pchat.store.topics import hit_guids

if TYPE_CHECKING:
    from pchat.fanout.feed import Feeds
    from pchat.rooms.access import Access
    from pchat.rooms.room import Room
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


@define
class _Pending:
    """A post on its way into the store.

    Args:
        session: The author's.
        request: The INFO that carried it.
        post: What he wrote.
        message_id: Its id for the archive.
        decisions: How often it was decided that he may.
        caught: Whose topic feeds catch it, as of the last decision.
    """

    session: ChatSession
    request: Request
    post: Post
    message_id: str
    decisions: int = 0
    caught: Caught = NOTHING


class Posting:
    """Takes posts.

    Args:
        store: The chat store.
        tree: The node tree; its revision says which state a decision was made on.
        access: Who may post where.
        settings: The size limits.
        feeds: Where committed messages go.
        listeners: Who is to be told although he is not in the room.
        random: Unpredictable bytes, for message ids.
    """

    def __init__(
        self,
        store: IStore,
        tree: NodeTree,
        access: Access,
        settings: Settings,
        feeds: Feeds,
        listeners: Listeners,
        random: Random,
    ) -> None:
        self._store = store
        self._tree = tree
        self._access = access
        self._settings = settings
        self._feeds = feeds
        self._listeners = listeners
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
            done = self._append(_Pending(session, request, post, self._random(16).hex()))
        except SipRefused as error:
            return fail(error)
        self.waiting += 1
        return done.addBoth(self._no_longer_waiting)

    def _no_longer_waiting(self, result: Any) -> Any:
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

    def _room_of(self, pending: _Pending) -> Room:
        session = pending.session
        room = self._tree.room_by_uri(pending.post.chan_uri)
        if room is None or room.id not in session.rosters:
            # The same words whether the room exists or not: a secret room must not show.
            raise SipRefused(403, "You have not joined this room")
        refused = self._access.refusal_to_post(session.user, room)
        if refused is not None:
            raise SipRefused(403, f"You may not post in this room ({refused.symbol})")
        return room

    def _append(self, pending: _Pending) -> Deferred[None]:
        """Decide, and offer the message to the store at the revision of the decision."""
        room = self._room_of(pending)
        user, post = pending.session.user, pending.post
        pending.caught = caught = self._listeners.evaluate(room, user, post.chat)
        message = NewMessage(
            message_id=pending.message_id,
            room_id=room.id,
            room_uri=room.uri,
            room_name=room.name,
            author_id=user.id,
            author_uri=user.uri,
            author_name=user.shown_name,
            author_email=user.email,
            chat=post.chat,
            rtf=post.rtf,
            alert=post.alert,
            logged=room.logged,
            revision=self._tree.revision,
            detail=_detail(room, post, self._listeners.uris(caught)),
            hits=tuple([(user_id, hit_guids(guids)) for user_id, guids in caught.items()]),
        )
        pending.decisions += 1
        return self._store.append([message]).addCallback(self._committed, pending, room)

    def _committed(
        self, outcomes: list[AppendOutcome], pending: _Pending, room: Room
    ) -> Deferred[None] | None:
        outcome = outcomes[0]
        if isinstance(outcome, Stale):
            # A change of rights was committed before the post: it wins, so the post is decided once more.
            if pending.decisions >= DECISIONS:
                raise SipRefused(503, "Chat service busy", diagnostics=BUSY, retry_after=1)
            return self._append(pending)
        user, post = pending.session.user, pending.post
        message = StoredMessage(outcome.chat_id, outcome.ts, user.id, post.alert, post.chat, post.rtf)
        try:
            acknowledge(pending.session, pending.request)
            self._feeds.of(room).take(message)
            self._listeners.deliver(room, pending.caught, message)
        except Exception:
            # The store has the message: nothing may be taken back.
            log.failure("{room}: message {chat_id} was not delivered", room=room.uri, chat_id=outcome.chat_id)
        return None


def _detail(room: Room, post: Post, noticed: list[str]) -> str:
    """Tell the archive what the text alone does not show; its formatting is not archived."""
    detail: dict[str, bool | list[str]] = {}
    if post.alert:
        detail["alert"] = True
    if post.chat.startswith(STORY_MARK):
        detail["story"] = True
    if not room.logged:
        detail["logged"] = False
    if noticed:
        # They may have read it without ever joining.
        detail["topic_hits"] = noticed
    return json.dumps(detail, separators=(",", ":"))
