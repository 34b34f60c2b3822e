"""The composition page: the parts of a server are constructed and wired here, with two chapters of their own.

`pchat.foundation` is the first: the store, and what is held in memory of it. `pchat.channel` is the second:
the channel service. Here are the front end and what the doors need. `Parts` opens no socket and starts no
timer of its own, so tests run the very same parts in memory; `pchat.listening` puts them on the network.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime

from pchat import __version__, ticks
from pchat.auth.accounts import SignInPolicy
from pchat.auth.negotiation import Negotiation
from pchat.auth.throttle import LoginThrottle
from pchat.channel import Channel
from pchat.config import Config
from pchat.directory.credentials import StoredCredentials
from pchat.foundation import AdministrationParts, assemble_administration
from pchat.frontend.addresses import Addresses, pool_uri
from pchat.frontend.chat_dialogs import ChatDialogs
from pchat.frontend.connections import Connections
from pchat.frontend.front_end import FrontEnd
from pchat.frontend.provisioning import ChatAddresses
from pchat.frontend.room_setting import follow_all_published
from pchat.frontend.user_agent import UserAgent
from pchat.interfaces import IStore, Random
from pchat.rooms.server_commands import ServiceInfo
from pchat.rooms.slices import Pause, no_pause
from pchat.sip.connection import ConnectionLimits, SipConnection
from pchat.sip.dialog import Dialogs, InfoLimits
from pchat.sip.stream import StreamLimits
from pchat.sip.turn import Turn
from pchat.store import outbox
from pchat.store.servers import alive, enter

WEB_SERVICE_PATH = "/PersistentChat/MGCWebService.asmx"


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
        self.channel = Channel(
            config, base, self._service_info(), self.web_service_url, self.host, clock, random
        )
        self._make_front_end()
        self._make_sign_in()
        for observer in (*self.channel.observers, self.connections):
            base.administration.observe(observer)

    def _service_info(self) -> ServiceInfo:
        root = uuid.UUID(self.base.tree.root_guid)
        return ServiceInfo(
            pool_uri=self.addresses.pool_uri,
            display_name=self.config.server.domain,
            # The same for every server of the domain, as the root category's GUID is.
            database_version=str(uuid.uuid5(root, "database")),
            room_management_url=self.room_management_url,
        )

    # -- presence, dispatch, sign-in

    def _make_front_end(self) -> None:
        base, config, clock, random = self.base, self.config, self.clock, self.random
        limits = config.sip.limits
        self.front_end = FrontEnd(
            base.directory,
            base.store,
            self._chat_addresses,
            clock,
            random,
            followed=self.channel.topics.feeds.followed,
        )
        self.dialogs = Dialogs(
            random, InfoLimits(limits.outstanding_infos, limits.pending_infos, limits.unsent_bytes)
        )
        self.connections = Connections(self.addresses, self.front_end, self.dialogs, clock, random)
        self.chat_dialogs = ChatDialogs(
            self.addresses, base.directory, self.channel.service, self.dialogs, clock
        )
        self.user_agent = UserAgent(
            self.host,
            base.directory,
            self.front_end,
            self.connections,
            self.chat_dialogs,
            self.dialogs,
            random,
        )

    def _make_sign_in(self) -> None:
        base, config, clock = self.base, self.config, self.clock
        limits = config.sip.limits
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
        self.channel.topics.hits.sweep()

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
        self.channel.posting.stopping = True
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
                "rooms_occupied": sum(1 for roster in self.channel.rosters if len(roster)),
            },
            "traffic": {"posts": self.channel.feeds.posts, "deliveries": self.channel.feeds.deliveries},
            "queues": {
                "posts_waiting": self.channel.posting.waiting,
                "part_events_waiting": self.channel.membership.unrecorded_parts,
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
    pause: Pause = no_pause,
) -> Parts:
    """Construct a whole server over a started store.

    Args:
        config: The configuration.
        store: A started `pchat.interfaces.IStore`.
        clock: The reactor's time.
        random: Unpredictable bytes.
        run_in_thread: For hashing passwords.
        pause: Lets others have their turn while very many people are gone through.
    """
    now = ticks.from_unix(clock.seconds())
    await store.write(enter, config.server.name, store.run_id, now, config.server.domain)
    base = await assemble_administration(config, store, clock, random, run_in_thread, pause)
    parts = Parts(config, base, clock, random)
    await store.write(follow_all_published)
    await parts.channel.topics.load()
    return parts
