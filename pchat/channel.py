"""The channel service put together: rooms, fan-out, topic feeds, and the commands of all of them.

A chapter of `pchat.server`, which says what it is given.
"""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime

from pchat.config import Config
from pchat.fanout.feed import Feeds
from pchat.foundation import AdministrationParts
from pchat.interfaces import Random
from pchat.rooms.arrivals import Arrivals
from pchat.rooms.blocks import Blocks
from pchat.rooms.command_turns import CommandTurns
from pchat.rooms.consequences import Consequences
from pchat.rooms.eligible import Eligible
from pchat.rooms.history import History
from pchat.rooms.invitations import Invitations
from pchat.rooms.management import Management
from pchat.rooms.membership import Membership
from pchat.rooms.message_notices import MessageNotices
from pchat.rooms.notices import Notices
from pchat.rooms.observers import ChangeObserver
from pchat.rooms.posting import Posting
from pchat.rooms.preferences import Preferences
from pchat.rooms.read_markers import ReadMarkers, ReadStates
from pchat.rooms.reads import ReadLog
from pchat.rooms.roster import Rosters
from pchat.rooms.roster_query import RosterQuery
from pchat.rooms.search import Search
from pchat.rooms.server_commands import ServerCommands, ServiceInfo
from pchat.rooms.service import ChannelService, Sessions
from pchat.topics.service import Topics
from pchat.xccos.limits import XmlLimits
from pchat.xccos.writer import EnvelopeIds


class Channel:
    """All parts of the channel service.

    Args:
        config: The configuration.
        base: Administration and what it works on.
        info: What clients are told of the service.
        filestore_uri: Address of the file web service.
        host: Our host name, for diagnostics.
        clock: The reactor's time.
        random: Unpredictable bytes.
    """

    def __init__(
        self,
        config: Config,
        base: AdministrationParts,
        info: ServiceInfo,
        filestore_uri: str,
        host: str,
        clock: IReactorTime,
        random: Random,
    ) -> None:
        store, directory, tree = base.store, base.directory, base.tree
        settings, access = base.settings, base.access
        self._base = base
        self._clock = clock
        self._envelope_ids = ids = EnvelopeIds(random)
        self.sessions = Sessions()
        self.rosters = Rosters(settings.participant_update_limit)
        addins = base.administration.registered_addins
        self._blocks = blocks = Blocks(self.rosters, access, directory, addins, filestore_uri)
        self._notices = notices = Notices(self.rosters, blocks, directory, ids, Arrivals(clock))
        self._states = states = ReadStates(store, access, settings)
        self._reads = reads = ReadLog(store, clock, random, enabled=config.compliance.enabled)
        self.feeds = Feeds(store, self.rosters, directory, blocks, ids)
        self.membership = Membership(
            store, tree, access, self.rosters, blocks, notices, states, clock, random
        )
        self.topics = Topics(
            *(store, tree, access, settings, directory, self.sessions, blocks, reads, ids, clock, random)
        )
        self.posting = Posting(store, tree, access, settings, self.feeds, self.topics.hits, random)
        self.invitations = Invitations(store, tree, access, settings, blocks, directory, self.sessions, ids)
        xml_limits = XmlLimits(body_bytes=config.sip.limits.body_bytes)
        self.service = ChannelService(
            *(self.sessions, self.membership, self.posting, self._families(info), ids),
            *(host, xml_limits, CommandTurns(clock)),
        )
        self.observers = self._observers()

    def _families(self, info: ServiceInfo) -> list[object]:
        """Make what runs the commands of each family."""
        base, clock, blocks, states = self._base, self._clock, self._blocks, self._states
        store, directory, tree = base.store, base.directory, base.tree
        settings, access = base.settings, base.access
        rules = base.administration
        return [
            ServerCommands(info, tree, settings, clock),
            Search(tree, access, settings, blocks, directory, self.rosters, states, clock),
            self.membership,
            RosterQuery(tree, access, settings, self.rosters, blocks),
            Management(
                *(rules.rooms, tree, access, directory, Eligible(access, directory)),
                *(rules.registered_addins, settings, blocks, clock),
            ),
            History(store, tree, access, settings, blocks, directory, self._reads, rules.searches),
            self.invitations,
            Preferences(store, clock),
            ReadMarkers(store, tree, access, blocks, self.sessions, states, clock, self._envelope_ids),
            *self.topics.families,
        ]

    def _observers(self) -> list[ChangeObserver]:
        """Make those who act on changes, in the order in which they are told."""
        base, rosters = self._base, self.rosters
        return [
            Consequences(base.access, base.settings, rosters, self.membership, self._notices, self.feeds),
            MessageNotices(rosters, self.feeds, self._blocks, base.directory, self._envelope_ids),
            self.invitations,
            self.topics.feeds,
        ]
