"""Everybody's topic feeds and followed rooms in memory: exactly what the store holds.

Source: docs/xccos-extensions.md ("Topic feeds").
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from zope.interface import implementer

from pchat.directory.people import PrincipalState
from pchat.rooms.observers import ChangeObserver, IChangeObserver
from pchat.store.topics import FeedRow
from pchat.topics.definition import EGO, ego_of, phrases_of
from pchat.topics.following import Following
from pchat.topics.matching import Filter, FilterIndex

if TYPE_CHECKING:
    from pchat.directory.local import LocalDirectory
    from pchat.directory.people import Principal
    from pchat.rooms.room import Room


@implementer(IChangeObserver)
class TopicFeeds(ChangeObserver):
    """All feeds, and the index of those whose owners follow rooms.

    Args:
        directory: The names of owners, which their ego feeds watch for.
    """

    def __init__(self, directory: LocalDirectory) -> None:
        self._directory = directory
        self._following = Following()
        self._index = FilterIndex()
        self._stored: dict[int, dict[str, FeedRow]] = {}

    def load(self, feeds: Iterable[FeedRow], followed: Iterable[tuple[int, int]]) -> None:
        """Take over everything from the store.

        Args:
            feeds: Everybody's.
            followed: Pairs of user and room, sorted.
        """
        for feed in feeds:
            self._stored.setdefault(feed.principal_id, {})[feed.guid] = feed
        self._following.load(followed)
        for user_id in self._following.users():
            self._index_anew(user_id)

    # -- definitions

    def of(self, user_id: int) -> list[FeedRow]:
        """List the feeds of a user, the ego feed first, the others in the order of their GUIDs."""
        stored = dict(self._stored.get(user_id, {}))
        ego = stored.pop(EGO, None) or ego_of(user_id)
        return [ego, *(stored[guid] for guid in sorted(stored))]

    def existing(self, user_id: int, guids: Iterable[str]) -> tuple[str, ...]:
        """Tell which of these feeds a user still has."""
        stored = self._stored.get(user_id, {})
        return tuple(guid for guid in guids if guid == EGO or guid in stored)

    def apply(self, feed: FeedRow) -> None:
        """Take over a feed after it was committed."""
        self._stored.setdefault(feed.principal_id, {})[feed.guid] = feed
        self._index_anew(feed.principal_id)

    def drop(self, user_id: int, guid: str) -> None:
        """Forget a feed after its deletion was committed."""
        stored = self._stored.get(user_id, {})
        stored.pop(guid, None)
        if not stored:
            self._stored.pop(user_id, None)
        self._index_anew(user_id)

    # -- followed rooms

    def followed(self, user_id: int, rooms: Iterable[int]) -> None:
        """Take over which rooms a user follows, after that was committed."""
        before = self._following.anything(user_id)
        self._following.replace(user_id, rooms)
        if self._following.anything(user_id) != before:
            self._index_anew(user_id)

    def anybody_follows(self, room: Room) -> bool:
        """Tell whether a message in a room can be caught at all."""
        return self._following.followed(room.id)

    def caught(
        self, room: Room, author_id: int, text: str, listens: Callable[[int], bool]
    ) -> dict[int, tuple[str, ...]]:
        """Tell whose feeds catch a message; see `pchat.topics.matching.FilterIndex.caught`."""
        follows = self._following.follows
        return self._index.caught(
            author_id, text, lambda user_id: follows(user_id, room.id) and listens(user_id)
        )

    # -- changes of others

    def user_changed(self, principal: Principal) -> None:
        """Follow a user to his new name."""
        self._index_anew(principal.id)

    def user_ended(self, principal: Principal, reason: str) -> None:
        """Forget a user who was removed; one who is disabled is only not asked for (see access)."""
        if principal.state is PrincipalState.REMOVED:
            self._stored.pop(principal.id, None)
            self._following.replace(principal.id, ())
            self._index_anew(principal.id)

    def room_removed(self, room: Room) -> None:
        """Forget who followed a room."""
        self._following.forget_room(room.id)

    # -- the index

    def _index_anew(self, user_id: int) -> None:
        owner = self._directory.by_id(user_id)
        followed = self._following.anything(user_id)
        self._index.set_filters(user_id, [*self._filters(owner)] if owner is not None and followed else ())

    def _filters(self, owner: Principal) -> Iterator[Filter]:
        for feed in self.of(owner.id):
            if feed.enabled:
                yield Filter(feed.guid, tuple(dict.fromkeys(phrases_of(feed, owner))), feed.people)
