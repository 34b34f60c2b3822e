"""A server's doors to the outside: listeners, the administration socket, timers; and its start and end.

Source: docs/operating.md ("Starting and stopping").
"""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Callable
from pathlib import Path
from secrets import token_bytes
from typing import Any

from OpenSSL import SSL
from twisted.application.service import Service
from twisted.internet.defer import Deferred, ensureDeferred, gatherResults
from twisted.internet.interfaces import IAddress, IListeningPort
from twisted.internet.ssl import ContextFactory
from twisted.internet.task import LoopingCall, deferLater
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.web.server import Site
from zope.interface import implementer

from pchat.admin.api import AdministrationApi
from pchat.admin.https import api_resource
from pchat.admin.socket import admin_site
from pchat.config import Config, SipListener, WebListener
from pchat.config.certificates import check_key_pair
from pchat.errors import ConfigError, StoreError, StoreInUse
from pchat.foundation import open_store
from pchat.ops.process import IChatServer
from pchat.rooms.slices import pause_by
from pchat.server import Parts, assemble
from pchat.sip.factory import SipFactory
from pchat.store.sqlite import SqliteStore
from pchat.web.health import health_resource
from pchat.web.site import BoundedSite, Folder

log = Logger()

#: Seconds between looks at what ran out of time.
SWEEP_SECONDS = 5.0
#: Seconds between writing down that this server lives; a crash's part events carry the last one.
ALIVE_SECONDS = 10.0
#: Seconds that posts which were accepted have to be committed when the server stops.
DRAIN_SECONDS = 5.0
#: Seconds to wait for a store that a `pchatctl` without a server holds just now.
LOCK_SECONDS = 5.0
#: Allocations before the collector looks at the young, and rounds before it looks at the older.
GC_THRESHOLDS = (20_000, 20, 20)
#: In every pyOpenSSL, but missing from its type stubs.
NO_RENEGOTIATION: int = getattr(SSL, "OP_NO_RENEGOTIATION")  # noqa: B009
#: Suites that are safe with TLS 1.2: forward secrecy and authenticated encryption.
CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL"


class ServerContext(ContextFactory):
    """TLS of one listener; certificates are read again on `reload`.

    Args:
        certificate: PEM chain.
        key: PEM private key.
        listener: The listener's place in the configuration, for errors.
    """

    # Twisted asks for a method of the class as well.
    isClient = False

    def __init__(self, certificate: Path, key: Path, listener: str) -> None:
        self._certificate = certificate
        self._key = key
        self._listener = listener
        self._context = self._make()

    def _make(self) -> SSL.Context:
        context = SSL.Context(SSL.TLS_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        context.set_options(SSL.OP_NO_COMPRESSION | NO_RENEGOTIATION | SSL.OP_CIPHER_SERVER_PREFERENCE)
        # An idle connection gives back its 34 kB of record buffers.
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)
        context.set_cipher_list(CIPHERS)
        try:
            context.use_certificate_chain_file(os.fspath(self._certificate))
            context.use_privatekey_file(os.fspath(self._key))
            context.check_privatekey()
        except SSL.Error as error:
            raise ConfigError(
                f"{self._listener}.certificate", f"certificate or key cannot be used: {error}"
            ) from error
        return context

    def getContext(self) -> SSL.Context:
        """Return the context for a new connection."""
        return self._context

    def reload(self) -> None:
        """Read certificate and key again; if that fails the old ones stay.

        Raises:
            ConfigError: They cannot be used; told as at the start.
        """
        check_key_pair(self._certificate, self._key, self._listener)
        self._context = self._make()


class TlsFactory(TLSMemoryBIOFactory):
    """TLS around a factory that may refuse a connection.

    Twisted's own wraps the refusal too: the connection would stay open, counted and timed by nobody.
    """

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Accept a connection, or return None: it is closed at once."""
        wrapped = self.wrappedFactory.buildProtocol(addr)
        return None if wrapped is None else self.protocol(self, wrapped)


@implementer(IChatServer)
class ChatServer(Service):
    """What twistd runs.

    Args:
        config: The configuration.
        reactor: The reactor.
    """

    def __init__(self, config: Config, reactor: Any) -> None:
        self.listening: Deferred[None] = Deferred()
        self.parts: Parts | None = None
        self.addresses: dict[str, list[str]] = {"sip": [], "web": []}
        self._config = config
        self._reactor = reactor
        self._begun = False
        self._ports: list[IListeningPort] = []
        self._contexts: list[ServerContext] = []
        self._loops: list[LoopingCall] = []
        self._store: SqliteStore | None = None

    # -- start

    def startService(self) -> None:
        """Open the store, then the doors; `listening` tells how it went."""
        Service.startService(self)
        self._begun = True
        ensureDeferred(self._start()).chainDeferred(self.listening)

    async def _start(self) -> None:
        config = self._config
        config.server.run.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._store = store = open_store(config, self._reactor, token_bytes, self._reactor)
        await self._start_store(store)
        self.parts = parts = await assemble(
            *(config, store, self._reactor, token_bytes, self._in_thread, pause_by(self._reactor))
        )
        api = AdministrationApi(parts.base, self._status)
        addresses = self.addresses
        for number, sip in enumerate(config.sip.listeners):
            addresses["sip"].append(self._listen_sip(parts, sip, f"sip.listeners[{number}]"))
        for number, web in enumerate(config.web.listeners):
            site = self._web_site(parts, api)
            addresses["web"].append(self._listen_web(site, web, f"web.listeners[{number}]"))
        self._listen_admin(api)
        self._loop(SWEEP_SECONDS, parts.sweep)
        self._loop(ALIVE_SECONDS, parts.tell_alive)
        _write_addresses(config.server.run / "listening.json", addresses)
        _calm_garbage_collection()
        log.info("listening: {sip} {web}", sip=addresses["sip"], web=addresses["web"])

    def _in_thread(self, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        return deferToThreadPool(self._reactor, self._reactor.getThreadPool(), function, *args)

    async def _start_store(self, store: SqliteStore) -> None:
        """Open the store; a `pchatctl` that holds it for a moment is waited for."""
        deadline = self._reactor.seconds() + LOCK_SECONDS
        told = False
        while True:
            try:
                await store.start()
            except StoreInUse as error:
                if self._reactor.seconds() > deadline:
                    raise
                if not told:
                    told = True
                    log.warn("waiting for the store: {reason}", reason=str(error))
                pause: Deferred[None] = deferLater(self._reactor, 0.1, lambda: None)
                await pause
            else:
                return

    def _loop(self, seconds: float, call: Callable[[], Any]) -> None:
        loop = LoopingCall(_logged, call)
        loop.clock = self._reactor
        loop.start(seconds, now=False)
        self._loops.append(loop)

    def _context(self, listener: SipListener | WebListener, path: str) -> ServerContext:
        if listener.certificate is None or listener.key is None:
            raise ConfigError(f"{path}.certificate", "is needed for TLS")
        context = ServerContext(listener.certificate, listener.key, path)
        self._contexts.append(context)
        return context

    def _open(self, listener: SipListener | WebListener, path: str, factory: Any) -> str:
        if listener.transport == "tls":
            factory = TlsFactory(self._context(listener, path), False, factory)
            # Writes are gathered by `pchat.sip.turn` already; a second gathering would cost a timer each.
            factory.protocol = TLSMemoryBIOProtocol
        port = self._reactor.listenTCP(listener.port, factory, interface=listener.host, backlog=1024)
        self._ports.append(port)
        host = f"[{listener.host}]" if ":" in listener.host else listener.host
        return f"{host}:{port.getHost().port}"

    def _listen_sip(self, parts: Parts, listener: SipListener, path: str) -> str:
        limits = self._config.sip.limits
        transport = listener.transport.upper()
        factory = SipFactory(
            lambda source: parts.make_connection(source, transport),
            limits.connections,
            limits.connections_per_address,
        )
        return self._open(listener, path, factory)

    def _listen_web(self, site: Site, listener: WebListener, path: str) -> str:
        return self._open(listener, path, site)

    def _listen_admin(self, api: AdministrationApi) -> None:
        path = self._config.server.admin_socket
        path.unlink(missing_ok=True)
        site = admin_site(api, self._reactor)
        port = self._reactor.listenUNIX(os.fspath(path), site, mode=0o600, wantPID=False)
        self._ports.append(port)

    def _web_site(self, parts: Parts, api: AdministrationApi) -> Site:
        root = Folder()
        root.putChild(b"health", health_resource({"store": parts.check_store}, self._reactor))
        root.putChild(b"api", api_resource(api, parts.base.administration.tokens, self._reactor))
        return BoundedSite(root, self._config.web.limits, self._reactor)

    async def _status(self) -> dict[str, Any]:
        own = {"listeners": self.addresses}
        return own if self.parts is None else own | await self.parts.status()

    def reload(self) -> None:
        """Read certificates again for connections to come; each listener keeps the old one if it must.

        Raises:
            ConfigError: The first certificate that cannot be used; further ones are logged.
        """
        problems: list[ConfigError] = []
        for context in self._contexts:
            try:
                context.reload()
            except ConfigError as error:
                problems.append(error)
        for problem in problems[1:]:
            log.error("the old certificate stays in use: {problem}", problem=str(problem))
        if problems:
            raise problems[0]

    # -- end

    def stopService(self) -> Deferred[None]:
        """Take no new posts, commit and answer those accepted, close connections, close the store."""
        Service.stopService(self)
        return ensureDeferred(self._stop())

    async def _start_is_over(self) -> None:
        """Wait for a start under way, or it would open doors behind our back."""
        if self._begun and not self.listening.called:
            over: Deferred[None] = Deferred()

            def tell(outcome: Any) -> Any:
                over.callback(None)
                return outcome

            self.listening.addBoth(tell)
            await over

    async def _stop(self) -> None:
        await self._start_is_over()
        for loop in self._loops:
            loop.stop()
        parts = self.parts
        if parts is not None:
            parts.refuse_new()
        await gatherResults([Deferred.fromCoroutine(_stopped(port)) for port in self._ports])
        if parts is not None:
            await self._drain(parts)
            parts.leave()
        (self._config.server.run / "listening.json").unlink(missing_ok=True)
        if self._store is not None:
            await self._store.stop()
        log.info("stopped")

    async def _drain(self, parts: Parts) -> None:
        deadline = self._reactor.seconds() + DRAIN_SECONDS
        while parts.channel.posting.waiting and self._reactor.seconds() < deadline:
            pause: Deferred[None] = deferLater(self._reactor, 0.01, lambda: None)
            await pause


def make_service(config: Config, reactor: Any) -> ChatServer:
    """Make the service of a configuration, for `pchat.tap`."""
    return ChatServer(config, reactor)


async def _stopped(port: IListeningPort) -> None:
    stopping = port.stopListening()
    if isinstance(stopping, Deferred):
        await stopping


def _logged(call: Callable[[], Any]) -> None:
    # A failure must not end the loop: the next round may succeed.
    try:
        result = call()
    except Exception:
        log.failure("a periodic task failed")
        return
    if isinstance(result, Deferred):
        result.addErrback(_log_failure)


def _log_failure(failure: Any) -> None:
    if failure.check(StoreError):
        log.warn("a periodic task waits for the store: {error}", error=str(failure.value))
    else:
        log.failure("a periodic task failed", failure)


def _calm_garbage_collection() -> None:
    """Look for cyclic garbage less often, and never again among what is loaded now.

    Nearly all that a delivery allocates is freed at once by reference counts; with Python's own
    thresholds every few hundred answers a round of the collector finds nothing (docs/performance.md).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def _write_addresses(path: Path, addresses: dict[str, list[str]]) -> None:
    """Write where we listen, whole or not at all; ports given as 0 are told here."""
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps(addresses) + "\n")
    beside.replace(path)
