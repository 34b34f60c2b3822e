"""A whole server in memory: the parts of `pchat.server` with a clock that stands still and no sockets.

Nothing is faked but time, randomness and the wire: the store is SQLite, run at once in this thread.
"""

from __future__ import annotations

import hashlib
from collections.abc import Coroutine
from itertools import count
from typing import Any, TypeVar

from attrs import evolve
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from pchat.config import AuthConfig, Config
from pchat.foundation import open_store
from pchat.server import Parts, assemble
from pchat.sip.message import Request, Response
from pchat.sip.stream import MessageStream
from pchat.store.sqlite import SqliteStore

T = TypeVar("T")

#: When a server in memory begins to live: 2026-01-02 03:04:05 UTC.
BEGINNING = 1_767_323_045.0


def now_or_never(work: Coroutine[Any, Any, T] | Deferred[T]) -> T:
    """Return what a coroutine or Deferred gives, which it must do at once.

    Raises:
        AssertionError: It waits for something.
    """
    deferred: Deferred[T] = work if isinstance(work, Deferred) else ensureDeferred(work)
    results: list[T] = []
    failures: list[Any] = []
    deferred.addCallbacks(results.append, failures.append)
    if failures:
        failures[0].raiseException()
    if not results:
        raise AssertionError("it is still waiting")
    return results[0]


class CountedBytes:
    """Bytes that look random and are the same in every run."""

    def __init__(self) -> None:
        self._calls = count()

    def __call__(self, length: int) -> bytes:
        """Return the next bytes."""
        return hashlib.shake_256(str(next(self._calls)).encode()).digest(length)


class MemoryTransport(StringTransport):
    """A transport as TLS offers it: it knows the options of TCP and when it is closed."""

    aborted = False

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Take the option; there is nothing to delay."""

    def abortConnection(self) -> None:
        """Note that the connection was cut."""
        self.aborted = True
        self.loseConnection()


class MemoryConnection:
    """A client's end of a connection: it sends bytes and reads messages.

    Args:
        server: The server.
        peer: Address and port of the client.
    """

    def __init__(self, server: MemoryServer, peer: tuple[str, int]) -> None:
        self.server = server
        self.protocol = server.parts.make_connection(peer[0], "TLS")
        self.transport = MemoryTransport(IPv4Address("TCP", "192.0.2.1", 5061), IPv4Address("TCP", *peer))
        self._stream = MessageStream()
        self.protocol.makeConnection(self.transport)

    @property
    def closed(self) -> bool:
        """Whether the server closed the connection."""
        return bool(self.transport.disconnecting)

    def send(self, data: bytes) -> None:
        """Let the server receive bytes."""
        self.protocol.dataReceived(data)

    def receive(self) -> list[Request | Response]:
        """Return the messages that the server sent since the last call."""
        self.server.clock.advance(0)
        data = self.transport.value()
        self.transport.clear()
        return [item for item in self._stream.receive(data) if isinstance(item, Request | Response)]

    def lose(self) -> None:
        """Cut the connection from the client's side."""
        self.protocol.connectionLost(Failure(ConnectionLost()))


class MemoryServer:
    """A server without sockets.

    Args:
        schemes: How users sign in; without passwords by default.
        config: A configuration to begin with.
        on_disk: Keep the store in the configuration's file instead of memory.
        after: An ended server on the same store: time and randomness go on where it ended.
    """

    def __init__(
        self,
        schemes: tuple[str, ...] = ("none",),
        config: Config | None = None,
        *,
        on_disk: bool = False,
        after: MemoryServer | None = None,
    ) -> None:
        self.clock = Clock()
        self.clock.rightNow = BEGINNING if after is None else after.clock.seconds()
        self.random: CountedBytes = CountedBytes() if after is None else after.random
        self.config = evolve(config or Config(), auth=AuthConfig(schemes=schemes))  # type: ignore[arg-type]  # texts
        self.store = self._open(on_disk)
        now_or_never(self.store.start())
        self.parts: Parts = now_or_never(assemble(self.config, self.store, self.clock, self.random))
        self._ports = count(49152)

    def _open(self, on_disk: bool) -> SqliteStore:
        if on_disk:
            return open_store(self.config, self.clock, self.random)
        return SqliteStore(
            ":memory:",
            clock=self.clock,
            server_name=self.config.server.name,
            random=self.random,
            inline=True,
            record_events=self.config.compliance.enabled,
        )

    @property
    def administration(self) -> Any:
        """The rules' one door."""
        return self.parts.base.administration

    def connect(self, host: str = "192.0.2.7") -> MemoryConnection:
        """Open a connection from a client."""
        return MemoryConnection(self, (host, next(self._ports)))

    def pass_time(self, seconds: float, step: float = 5.0) -> None:
        """Let time go by, with the sweeps of a running server."""
        left = seconds
        while left > 0:
            part = min(step, left)
            self.clock.advance(part)
            self.parts.sweep()
            self.clock.advance(0)
            left -= part

    def events(self) -> list[tuple[str, str, str, str]]:
        """Return kind, user, room name and detail of every compliance event so far."""

        async def read(txn: Any) -> list[tuple[str, str, str, str]]:
            rows: list[tuple[str, str, str, str]] = await txn.query(
                "select kind, user_uri, room_name, detail from outbox order by server_sequence"
            )
            return rows

        return now_or_never(self.store.read(read))

    def stop(self) -> None:
        """End the server."""
        self.parts.leave()
        now_or_never(self.store.stop())

    def kill(self) -> None:
        """End the server as a killed process ends: nobody is told, nothing more is written."""
        now_or_never(self.store.stop())
