"""Where a client talks, and the bytes it does it with, over TLS or not."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

from attrs import frozen

READ_BYTES = 1 << 16
CONNECT_SECONDS = 10.0


@frozen
class Place:
    """Where to talk.

    Args:
        address: ``host:port``.
        authority: PEM file of the authority to trust; None: plain TCP.
        pool: URI of the chat service.
        room: ``ma-chan://domain/GUID``.
    """

    address: str
    authority: Path | None
    pool: str
    room: str


class Channel:
    """A connection whose reading side stays usable when its writing side breaks.

    That matters when the server is killed: answers that had left it by then lie in our system and count.

    Args:
        place: Where to connect.
    """

    def __init__(self, place: Place) -> None:
        host, _, port = place.address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), CONNECT_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.local = "{}:{}".format(*self.socket.getsockname()[:2])
        self.closed = False
        self._broken = False
        self._unsent = bytearray()
        self._tls: ssl.SSLObject | None = None
        if place.authority is not None:
            self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            context = ssl.create_default_context(cafile=str(place.authority))
            self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
            try:
                self._shake_hands(self._tls)
            except OSError:
                self.socket.close()
                raise
        self.socket.setblocking(False)

    def _shake_hands(self, tls: ssl.SSLObject) -> None:
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                self.socket.sendall(self._outgoing.read())
                data = self.socket.recv(READ_BYTES)
                if not data:
                    raise ConnectionResetError("closed during the handshake") from None
                self._incoming.write(data)
            else:
                self._unsent += self._outgoing.read()
                return

    @property
    def has_unsent(self) -> bool:
        """Whether `flush` should be called once the socket takes more."""
        return bool(self._unsent) and not self._broken

    def send(self, data: bytes) -> None:
        """Write, and keep what is not taken."""
        if self._tls is not None:
            self._tls.write(data)
            data = self._outgoing.read()
        self._unsent += data
        self.flush()

    def flush(self) -> None:
        """Write what was kept."""
        try:
            while self.has_unsent:
                del self._unsent[: self.socket.send(self._unsent)]
        except BlockingIOError:
            pass
        except OSError:
            self._broken = True

    def receive(self) -> bytes:
        """Return what is there; at the end of all that came, `closed` is set."""
        try:
            data = self.socket.recv(READ_BYTES)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        if not data:
            self.closed = True
        if self._tls is None or not data:
            return data
        self._incoming.write(data)
        plain = bytearray()
        try:
            while chunk := self._tls.read(READ_BYTES):
                plain += chunk
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            self._broken = True
        self._unsent += self._outgoing.read()
        return bytes(plain)
