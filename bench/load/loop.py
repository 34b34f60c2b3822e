"""The epoll loop of the load generator."""

from __future__ import annotations

import select
import socket
import ssl
from collections.abc import Callable, Iterable
from pathlib import Path

from bench.load.participant import LoadFailed, Participant

STALL_SECONDS = 30.0
"""A benchmark in which nothing arrives for so long has failed."""
CONNECT_SECONDS = 30.0


class Loop:
    """All connections, and what to do when they are ready.

    Args:
        address: ``host:port`` of the server.
        authority: PEM file of the authority to trust; None for a listener without TLS.
    """

    def __init__(self, address: str, authority: Path | None) -> None:
        host, _, port = address.rpartition(":")
        self._address = (host.strip("[]"), int(port))
        self._context = ssl.create_default_context(cafile=str(authority)) if authority else None
        self._epoll = select.epoll()
        self._participants: dict[int, Participant] = {}
        self.after_turn: Callable[[], None] = lambda: None
        self.reads = 0

    def connect(self) -> socket.socket:
        """Open a connection and do its TLS handshake, if it has one."""
        plain = socket.create_connection(self._address, CONNECT_SECONDS)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection: socket.socket = plain
        if self._context is not None:
            connection = self._context.wrap_socket(plain, server_hostname=self._address[0])
        connection.setblocking(False)
        return connection

    def add(self, participant: Participant) -> None:
        """Begin to read from a participant's connection."""
        self._participants[participant.connection.fileno()] = participant
        self._epoll.register(participant.connection, select.EPOLLIN)

    def blocked(self, participant: Participant) -> None:
        """Call the participant's ``flush`` once its connection takes bytes again."""
        self._epoll.modify(participant.connection, select.EPOLLIN | select.EPOLLOUT)

    def turn(self, timeout: float) -> bool:
        """Deal with what is ready; return whether anything was."""
        events = self._epoll.poll(timeout)
        self.reads += len(events)
        participants = self._participants
        for descriptor, event in events:
            participant = participants[descriptor]
            if event & select.EPOLLOUT:
                self._epoll.modify(descriptor, select.EPOLLIN)
                participant.flush()
            if event & ~select.EPOLLOUT:
                participant.receive()
        self.after_turn()
        return bool(events)

    def run_until(self, done: Callable[[], bool]) -> None:
        """Run until something is done, which is looked at after each turn.

        Raises:
            LoadFailed: Nothing arrives any more.
        """
        while not done():
            if not self.turn(STALL_SECONDS):
                raise LoadFailed(f"nothing arrived for {STALL_SECONDS} s")

    def finish(self, participants: Iterable[Participant]) -> None:
        """Run until the scripts of these participants are at their end."""
        waiting = list(participants)

        def all_idle() -> bool:
            while waiting and not waiting[-1].busy:
                waiting.pop()
            return not waiting

        self.run_until(all_idle)

    def close(self) -> None:
        """Close all connections."""
        self._epoll.close()
        for participant in self._participants.values():
            participant.connection.close()
