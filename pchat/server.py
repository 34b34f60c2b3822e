"""The composition page: every part of a server is constructed and wired here, and nowhere else.

Read top-down it is the table of contents of a running server: store, what is held in memory, the
channel service, the front end, the doors. `Parts` opens no socket and starts no timer of its own, so
tests run the very same parts in memory; `pchat.listening` puts them on the network.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime

from pchat import __version__, ticks
from pchat.auth.accounts import SignInPolicy
from pchat.auth.negotiation import Negotiation
from pchat.auth.throttle import LoginThrottle
from pchat.config import Config
from pchat.directory.credentials import StoredCredentials
from pchat.directory.local import LocalDirectory
from pchat.errors import ConfigError
from pchat.fanout.feed import Feeds
from pchat.frontend.addresses import Addresses, pool_uri
from pchat.frontend.chat_dialogs import ChatDialogs
from pchat.frontend.connections import Connections
from pchat.frontend.front_end import FrontEnd
from pchat.frontend.provisioning import ChatAddresses
from pchat.frontend.room_setting import follow_all_published
from pchat.frontend.user_agent import UserAgent
from pchat.interfaces import IStore, Random
from pchat.rooms.access import Access
from pchat.rooms.administration import Administration
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
from pchat.rooms.posting import Posting
from pchat.rooms.preferences import Preferences
from pchat.rooms.read_markers import ReadMarkers, ReadStates
from pchat.rooms.reads import ReadLog
from pchat.rooms.roster import Rosters
from pchat.rooms.roster_query import RosterQuery
from pchat.rooms.search import Search
from pchat.rooms.server_commands import ServerCommands, ServiceInfo
from pchat.rooms.service import ChannelService, Sessions
from pchat.rooms.settings import Settings
from pchat.rooms.tree import NodeTree
from pchat.sip.connection import ConnectionLimits, SipConnection
from pchat.sip.dialog import Dialogs, InfoLimits
from pchat.sip.stream import StreamLimits
from pchat.sip.turn import Turn
from pchat.store import outbox
from pchat.store.servers import alive, enter
from pchat.store.sqlite import IThreads, SqliteStore
from pchat.topics.service import Topics
from pchat.xccos.limits import XmlLimits
from pchat.xccos.writer import EnvelopeIds

WEB_SERVICE_PATH = "/PersistentChat/MGCWebService.asmx"


def open_store(
    config: Config, clock: IReactorTime, random: Random, threads: IThreads | None = None
) -> SqliteStore:
    """Make the chat store of a configuration; it is not started yet.

    Args:
        config: The configuration.
        clock: Server time.
        random: Unpredictable bytes.
        threads: The reactor; without one everything runs at once in the calling thread.

    Raises:
        ConfigError: The data directory cannot be used.
    """
    data = config.server.data
    if not os.path.isdir(data):
        raise ConfigError("server.data", f"{data} is no directory; make it, or name another")
    if not os.access(data, os.W_OK | os.X_OK):
        raise ConfigError("server.data", f"{data} cannot be written by the user that runs this")
    return SqliteStore(
        config.database,
        clock=clock,
        server_name=config.server.name,
        random=random,
        threads=threads,
        inline=threads is None,
        record_events=config.compliance.enabled,
        domain=config.server.domain,
    )


@frozen
class AdministrationParts:
    """What changing people, rooms and rights needs; all that ``pchatctl`` builds when no server runs.

    Args:
        store: The chat store, started.
        directory: People in memory.
        tree: Rooms and categories in memory.
        settings: Limits that operators change while the server runs.
        access: Who may do what.
        administration: The rules' one door.
    """

    store: IStore
    directory: LocalDirectory
    tree: NodeTree
    settings: Settings
    access: Access
    administration: Administration


async def assemble_administration(
    config: Config,
    store: IStore,
    clock: IReactorTime,
    random: Random,
    run_in_thread: Callable[..., Deferred[Any]] = maybeDeferred,
) -> AdministrationParts:
    """Construct administration over a started store and read everything into memory.

    Args:
        config: The configuration.
        store: A started `pchat.interfaces.IStore`.
        clock: Server time.
        random: Unpredictable bytes.
        run_in_thread: For hashing passwords; by default it is done at once.
    """
    directory = LocalDirectory(config.server.domain)
    tree = NodeTree(config.server.domain)
    settings = Settings()
    access = Access(directory)
    administration = Administration(
        store=store,
        directory=directory,
        tree=tree,
        access=access,
        settings=settings,
        clock=clock,
        random=random,
        run_in_thread=run_in_thread,
    )
    await administration.load()
    return AdministrationParts(store, directory, tree, settings, access, administration)


class Parts:
    """All parts of a running server.

    Args:
        config: The configuration.
        base: Administration and what it works on.
        clock: The reactor's time.
        random: Unpredictable bytes.
    """

    def __init__(
        self, config: Config, base: AdministrationParts, clock: IReactorTime, random: Random
    ) -> None:
        self.config = config
        self.base = base
        self.clock = clock
        self.random = random
        self.started_at = clock.seconds()
        self.host = config.server.host or f"frontend.{config.server.domain}"
        self.addresses = Addresses(
            domain=config.server.domain,
            pool_uri=pool_uri(config.server.domain),
            lookup_uri=f"sip:ocschat@{config.server.domain}",
            source=self.host,
        )
        self._make_service()
        self._make_front_end()
        base.administration.observe(self.consequences)
        base.administration.observe(self.message_notices)
        base.administration.observe(self.connections)
        base.administration.observe(self.invitations)
        base.administration.observe(self.topics.feeds)

    # -- rooms and fan-out

    def _make_service(self) -> None:
        base, clock, random = self.base, self.clock, self.random
        store, tree, access, settings = base.store, base.tree, base.access, base.settings
        limits = self.config.sip.limits
        envelope_ids = EnvelopeIds(random)
        self.rosters = Rosters(settings.participant_update_limit)
        addins = base.administration.registered_addins
        blocks = Blocks(self.rosters, access, base.directory, addins, self.web_service_url)
        self.feeds = Feeds(store, self.rosters, base.directory, blocks, envelope_ids)
        notices = Notices(self.rosters, blocks, base.directory, envelope_ids)
        states = ReadStates(store, access, settings)
        self.membership = Membership(
            store, tree, access, self.rosters, blocks, notices, states, clock, random
        )
        reads = ReadLog(store, clock, random, enabled=self.config.compliance.enabled)
        searches = base.administration.searches
        history = History(store, tree, access, settings, blocks, base.directory, reads, searches)
        self.sessions = Sessions()
        self.topics = Topics(
            *(store, tree, access, settings, base.directory, self.sessions, blocks, reads),
            *(envelope_ids, clock, random),
        )
        self.posting = Posting(store, tree, access, settings, self.feeds, self.topics.hits, random)
        self.invitations = Invitations(
            store, tree, access, settings, blocks, base.directory, self.sessions, envelope_ids
        )
        info = ServiceInfo(
            pool_uri=self.addresses.pool_uri,
            display_name=self.config.server.domain,
            # The same for every server of the domain, as the root category's GUID is.
            database_version=str(uuid.uuid5(uuid.UUID(tree.root_guid), "database")),
            room_management_url=self.room_management_url,
        )
        families = [
            ServerCommands(info, tree, settings, clock),
            Search(tree, access, settings, blocks, base.directory, self.rosters, states, clock),
            self.membership,
            RosterQuery(tree, access, settings, self.rosters, blocks),
            Management(
                base.administration.rooms,
                tree,
                access,
                base.directory,
                Eligible(access, base.directory),
                addins,
                settings,
                blocks,
                clock,
            ),
            history,
            self.invitations,
            Preferences(store, clock),
            ReadMarkers(store, tree, access, blocks, self.sessions, states, clock, envelope_ids),
            *self.topics.families,
        ]
        self.service = ChannelService(
            self.sessions,
            self.membership,
            self.posting,
            families,
            envelope_ids,
            self.host,
            XmlLimits(body_bytes=limits.body_bytes),
            CommandTurns(clock),
        )
        self.message_notices = MessageNotices(self.rosters, self.feeds, blocks, base.directory, envelope_ids)
        self.consequences = Consequences(access, settings, self.rosters, self.membership, notices, self.feeds)

    # -- sign-in, presence, dispatch

    def _make_front_end(self) -> None:
        base, config, clock, random = self.base, self.config, self.clock, self.random
        limits = config.sip.limits
        self.front_end = FrontEnd(
            base.directory,
            base.store,
            self._chat_addresses,
            clock,
            random,
            followed=self.topics.feeds.followed,
        )
        self.dialogs = Dialogs(
            random, InfoLimits(limits.outstanding_infos, limits.pending_infos, limits.unsent_bytes)
        )
        self.connections = Connections(self.addresses, self.front_end, self.dialogs, clock, random)
        self.chat_dialogs = ChatDialogs(self.addresses, base.directory, self.service, self.dialogs, clock)
        self.user_agent = UserAgent(
            self.host,
            base.directory,
            self.front_end,
            self.connections,
            self.chat_dialogs,
            self.dialogs,
            random,
        )
        self._sign_in = SignInPolicy(
            domain=config.server.domain,
            target_name=self.host,
            netbios_domain=config.auth.netbios_domain or config.server.domain.split(".")[0].upper()[:15],
            schemes=config.auth.schemes,
            realm=config.auth.realm,
        )
        self._credentials = StoredCredentials(base.store, base.directory)
        self._throttle = LoginThrottle(clock)
        self._turn = Turn(clock)
        self._connection_limits = ConnectionLimits(
            sign_in_seconds=limits.sign_in_seconds,
            idle_seconds=limits.idle_seconds,
            unsent_bytes=limits.unsent_bytes,
            response_seconds=limits.response_seconds,
            stream=StreamLimits(
                head_bytes=limits.head_bytes,
                body_bytes=limits.body_bytes,
                header_count=limits.headers,
                line_bytes=limits.line_bytes,
            ),
        )

    def _chat_addresses(self) -> ChatAddresses:
        page = self.room_management_url()
        return ChatAddresses(self.addresses.pool_uri, (self.addresses.pool_uri,), page, page)

    def make_connection(self, source: str, transport: str) -> SipConnection:
        """Make the protocol of a new connection.

        Args:
            source: The peer's address without its port.
            transport: ``TLS`` or ``TCP``.
        """
        negotiation = Negotiation(
            self._sign_in, self._credentials, self._throttle, self.clock, self.random, source
        )
        return SipConnection(
            self.user_agent, negotiation, self._connection_limits, self._turn, self.clock, transport
        )

    # -- what the doors need

    @property
    def web_url(self) -> str:
        """How browsers reach this server."""
        web = self.config.web
        if web.public_url:
            return web.public_url.rstrip("/")
        return f"https://{self.host}:{web.listeners[0].port}" if web.listeners else ""

    @property
    def web_service_url(self) -> str:
        """Address of the file web service."""
        return self.web_url + WEB_SERVICE_PATH

    def room_management_url(self) -> str:
        """Web page where rooms are managed: the operator's own, or that of this server."""
        return self.base.settings.room_management_url or f"{self.web_url}/PersistentChat/RM/"

    def sweep(self) -> None:
        """See what ran out of time."""
        self.connections.sweep()
        self.topics.hits.sweep()

    def tell_alive(self) -> Awaitable[Any]:
        """Write down that this server lives."""
        now = ticks.from_unix(self.clock.seconds())
        written: Deferred[Any] = self.base.store.write(alive, self.base.store.server_id, now)
        return written

    async def check_store(self) -> str | None:
        """Tell why the store cannot be read, or None."""
        await self.base.store.read(outbox.depth)
        return None

    def refuse_new(self) -> None:
        """Take no new posts and no new sign-ins; the server stops."""
        self.posting.stopping = True
        self.user_agent.stopping = True
        self.chat_dialogs.stopping = True

    def leave(self) -> None:
        """End all sessions and timers."""
        # Closed first: that everybody leaves needs not be told to everybody.
        self.connections.close_all("server stopped")
        for dialog in self.dialogs:
            self.dialogs.end(dialog, "server stopped")
        self.front_end.stop()

    async def status(self) -> dict[str, Any]:
        """Tell how the server is, for ``pchatctl status``."""
        store = self.base.store
        return {
            "version": __version__,
            "server": self.config.server.name,
            "uptime_seconds": round(self.clock.seconds() - self.started_at),
            "store": store.describe(),
            "sessions": {
                "connections": len(self.connections),
                "users": self.connections.signed_in_users,
                "dialogs": len(self.dialogs),
                "rooms_occupied": sum(1 for roster in self.rosters if len(roster)),
            },
            "traffic": {"posts": self.feeds.posts, "deliveries": self.feeds.deliveries},
            "queues": {
                "posts_waiting": self.posting.waiting,
                "part_events_waiting": self.membership.unrecorded_parts,
            },
            "compliance": {
                "enabled": self.config.compliance.enabled,
                "outbox_depth": await store.read(outbox.depth),
            },
        }


async def assemble(
    config: Config,
    store: IStore,
    clock: IReactorTime,
    random: Random,
    run_in_thread: Callable[..., Deferred[Any]] = maybeDeferred,
) -> Parts:
    """Construct a whole server over a started store.

    Args:
        config: The configuration.
        store: A started `pchat.interfaces.IStore`.
        clock: The reactor's time.
        random: Unpredictable bytes.
        run_in_thread: For hashing passwords.
    """
    now = ticks.from_unix(clock.seconds())
    await store.write(enter, config.server.name, store.run_id, now, config.server.domain)
    base = await assemble_administration(config, store, clock, random, run_in_thread)
    parts = Parts(config, base, clock, random)
    await store.write(follow_all_published)
    await parts.topics.load()
    return parts
