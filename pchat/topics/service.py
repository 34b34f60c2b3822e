"""The topic feeds' composition: what is in memory, what posts ask, what clients ask, wired once.

Source: docs/xccos-extensions.md ("Topic feeds").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pchat.store.topics import FeedRow, load_feeds, load_followed
from pchat.topics.commands import TopicCommands
from pchat.topics.feeds import TopicFeeds
from pchat.topics.hits import TopicHits
from pchat.topics.listing import HitListing

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

    from pchat.directory.local import LocalDirectory
    from pchat.interfaces import IStore, ITransaction, Random
    from pchat.rooms.access import Access
    from pchat.rooms.blocks import Blocks
    from pchat.rooms.reads import ReadLog
    from pchat.rooms.service import Sessions
    from pchat.rooms.settings import Settings
    from pchat.rooms.tree import NodeTree
    from pchat.xccos.writer import EnvelopeIds


class Topics:
    """Everything about topic feeds.

    Args:
        store: The chat store.
        tree: Rooms by number.
        access: Who may read what.
        settings: The search limit.
        directory: People and their names.
        sessions: Everybody's chat sessions.
        blocks: Wire forms.
        reads: Records what is shown.
        envelope_ids: Numbers of our envelopes.
        clock: Server time.
        random: Unpredictable bytes.
    """

    def __init__(
        self,
        store: IStore,
        tree: NodeTree,
        access: Access,
        settings: Settings,
        directory: LocalDirectory,
        sessions: Sessions,
        blocks: Blocks,
        reads: ReadLog,
        envelope_ids: EnvelopeIds,
        clock: IReactorTime,
        random: Random,
    ) -> None:
        self._store = store
        self.feeds = TopicFeeds(directory)
        self.hits = TopicHits(store, self.feeds, tree, access, sessions, directory, blocks, envelope_ids)
        commands = TopicCommands(store, self.feeds, self.hits, directory, blocks, clock, random)
        listing = HitListing(store, tree, self.feeds, self.hits, settings, reads, blocks, directory)
        self.families: tuple[object, ...] = (commands, listing)

    async def load(self) -> None:
        """Read all feeds and followed rooms from the store."""
        feeds, followed = await self._store.read(_load)
        self.feeds.load(feeds, followed)


async def _load(txn: ITransaction) -> tuple[list[FeedRow], list[tuple[int, int]]]:
    return await load_feeds(txn), await load_followed(txn)
