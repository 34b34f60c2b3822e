"""The commands about a user's own feeds: listing, changing and deleting them.

Source: docs/xccos-extensions.md ("Topic feeds").
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from pchat import ticks
from pchat.directory.people import PrincipalKind, PrincipalState
from pchat.errors import AdministrationRefused, CommandRefused
from pchat.rooms.names import check_name
from pchat.store.topics import FeedRow, Saved, delete_feed, save_feed
from pchat.topics.definition import EGO, FEEDS_PER_USER, phrase_query
from pchat.xccos.codes import ResponseCode
from pchat.xccos.topic_writer import TopicBlock, deleted_topic, topic, topic_reference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twisted.internet.interfaces import IReactorTime

    from pchat.directory.local import LocalDirectory
    from pchat.directory.people import Principal
    from pchat.interfaces import IStore, Random
    from pchat.rooms.blocks import Blocks
    from pchat.rooms.session import ChatSession
    from pchat.topics.feeds import TopicFeeds
    from pchat.topics.hits import TopicHits
    from pchat.xccos.parser import Command
    from pchat.xccos.topic_commands import TopicDefinition, TopicList, TopicRemoval

_REFUSALS = {
    Saved.COLLISION: ResponseCode.ERROR_DATA_COLLISION,
    Saved.FULL: ResponseCode.ERROR_LIMIT_EXCEEDED,
    Saved.MISSING: ResponseCode.ERROR_NO_SUCH_NODE,
}


class TopicCommands:
    """Answers what a user asks about his own feeds; those of others are nobody's business.

    Args:
        store: Keeps the feeds.
        feeds: Everybody's feeds in memory.
        hits: Tells the user's other endpoints.
        directory: People by address.
        blocks: Wire forms of people.
        clock: Time of changes.
        random: Unpredictable bytes, for GUIDs.
    """

    def __init__(
        self,
        store: IStore,
        feeds: TopicFeeds,
        hits: TopicHits,
        directory: LocalDirectory,
        blocks: Blocks,
        clock: IReactorTime,
        random: Random,
    ) -> None:
        self._store = store
        self._feeds = feeds
        self._hits = hits
        self._directory = directory
        self._blocks = blocks
        self._clock = clock
        self._random = random

    async def cmd_gettopics(self, session: ChatSession, command: Command, wish: TopicList) -> None:
        """Answer ``cmd:gettopics``: all feeds of the user, the ego feed first."""
        session.knows_topics = True
        feeds = self._feeds.of(session.user.id)
        session.reply(command, ResponseCode.SUCCESS_OK, "".join([topic(self._block(feed)) for feed in feeds]))

    async def cmd_settopic(self, session: ChatSession, command: Command, wish: TopicDefinition) -> None:
        """Answer ``cmd:settopic``: make a feed, or put it in the place of its last version."""
        session.knows_topics = True
        feed = self._feed(session.user, wish)
        now = ticks.from_unix(self._clock.seconds())
        _check(await self._store.write(save_feed, feed, FEEDS_PER_USER, now), feed.guid)
        if session.user.state is not PrincipalState.REMOVED:
            self._feeds.apply(feed)
        shown = topic(self._block(feed))
        session.reply(command, ResponseCode.SUCCESS_OK, shown)
        self._hits.tell_others(session, shown)

    async def cmd_deltopic(self, session: ChatSession, command: Command, wish: TopicRemoval) -> None:
        """Answer ``cmd:deltopic``: delete a feed with what only it caught."""
        session.knows_topics = True
        if wish.guid == EGO:
            raise CommandRefused(ResponseCode.ERROR_INVALID_ARGUMENT, "the ego feed can only be disabled")
        _check(await self._store.write(delete_feed, session.user.id, wish.guid, wish.version), wish.guid)
        self._feeds.drop(session.user.id, wish.guid)
        session.reply(command, ResponseCode.SUCCESS_OK, topic_reference(wish.guid))
        self._hits.tell_others(session, deleted_topic(wish.guid))

    # -- what was asked

    def _feed(self, owner: Principal, wish: TopicDefinition) -> FeedRow:
        """Make of a wish what is stored, or refuse it."""
        unfindable = [word for word in wish.words if phrase_query(word) is None]
        if unfindable:
            raise CommandRefused(ResponseCode.ERROR_INVALID_ARGUMENT, "no message could hold a word")
        if wish.guid == EGO and wish.people:
            raise CommandRefused(ResponseCode.ERROR_INVALID_ARGUMENT, "the ego feed is not about others")
        if wish.guid != EGO and not wish.words and not wish.people:
            raise CommandRefused(ResponseCode.ERROR_INVALID_ARGUMENT, "the feed watches for nothing")
        return FeedRow(
            principal_id=owner.id,
            guid=wish.guid or str(uuid.UUID(bytes=self._random(16), version=4)),
            name=_name(wish),
            enabled=wish.enabled,
            words=wish.words,
            people=tuple(dict.fromkeys(self._numbers(wish))),
            version=wish.version + 1,
        )

    def _numbers(self, wish: TopicDefinition) -> Iterator[int]:
        for uri in wish.people:
            person = self._directory.by_uri(uri)
            if person is None or person.kind is not PrincipalKind.USER:
                raise CommandRefused(ResponseCode.ERROR_NO_SUCH_PRINCIPAL, uri)
            yield person.id

    # -- what is answered

    def _block(self, feed: FeedRow) -> TopicBlock:
        """Show a feed; people who were removed meanwhile write no more, and are left out."""
        people = filter(None, map(self._directory.by_id, feed.people))
        present = [person for person in people if person.state is not PrincipalState.REMOVED]
        return TopicBlock(
            guid=feed.guid,
            name=feed.name,
            enabled=feed.enabled,
            version=feed.version,
            words=feed.words,
            people=tuple(map(self._blocks.user, present)),
        )


def _name(wish: TopicDefinition) -> str:
    if wish.name is None and wish.guid == EGO:
        return EGO
    try:
        return check_name(wish.name or "", "feed's")
    except AdministrationRefused as error:
        raise CommandRefused(error.code, error.detail) from error


def _check(outcome: Saved, guid: str) -> None:
    if outcome is not Saved.YES:
        raise CommandRefused(_REFUSALS[outcome], f"{guid}: {outcome.value}")
