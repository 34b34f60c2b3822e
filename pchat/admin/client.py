"""How ``pchatctl`` reaches administration: through the server's socket, or on the store if no server runs."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from pchat.admin.peer import peer_user
from pchat.admin.routes import MOST_ENTRIES, Answer
from pchat.config import Config
from pchat.errors import OperatorError, StoreInUse

#: Seconds to wait for an answer; changes take milliseconds, a store in doubt may take several seconds.
ANSWER_SECONDS = 60.0
#: Seconds to wait for a server that starts or stops, or for another pchatctl on the same store.
PATIENCE_SECONDS = 10.0
PAUSE_SECONDS = 0.1


#: Status, value, and the ``Link`` header if there is one.
Part = tuple[int, Any, str | None]
_NEXT = re.compile(r'<([^>]*)>; rel="next"$')
_LIMIT = re.compile(r"(?<=[?&]limit=)([0-9]+)")


def whole_answer(
    ask: Callable[[str, str, dict[str, Any] | None], Part],
    method: str,
    path: str,
    body: dict[str, Any] | None,
) -> Answer:
    """Ask once, or as often as a listing has parts, until there is all, or as much as ``limit`` says.

    Args:
        ask: Asks once.
        method, path, body: See `pchat.admin.api.AdministrationApi.call`.
    """
    status, value, link = ask(method, path, body)
    wanted = _LIMIT.search(path)
    entries = value
    # A part may have fewer entries than were wanted, where they are long.
    while (found := _NEXT.match(link or "")) and (wanted is None or len(entries) < int(wanted[1])):
        following = found[1] if wanted else _LIMIT.sub(str(MOST_ENTRIES), found[1])
        status, value, link = ask("GET", following, None)
        if status >= 400:
            return status, value
        entries = [*entries, *value][: int(wanted[1]) if wanted else None]
    return status, entries


class Door(Protocol):
    """Where administration is asked."""

    @property
    def running(self) -> bool:
        """Whether a server runs."""

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Answer:
        """Answer one request; see `pchat.admin.api.AdministrationApi.call`. Listings are given whole.

        Raises:
            OperatorError: There was no answer.
        """

    def close(self) -> None:
        """End."""


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a UNIX socket.

    Args:
        path: The socket.
        seconds: How long an answer may take.
    """

    def __init__(self, path: Path, seconds: float = ANSWER_SECONDS) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        """Connect.

        Raises:
            OSError: Nobody listens, or we may not talk to who does.
        """
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(self.timeout)
        try:
            connection.connect(os.fspath(self._path))
        except BaseException:
            connection.close()
            raise
        self.sock = connection


class ServerDoor:
    """Administration of the server that listens at a socket.

    Args:
        path: The socket.
        owner: Number of the user who owns the store: the server is his, ours or root's.
        seconds: How long an answer may take.

    Raises:
        OSError: Nobody listens, or we may not talk to who does.
        OperatorError: Somebody else listens there, who must not be told passwords.
    """

    running = True

    def __init__(self, path: Path, owner: int | None = None, seconds: float = ANSWER_SECONDS) -> None:
        self._path = path
        self._connection = UnixConnection(path, seconds)
        self._connection.connect()
        listener = peer_user(self._connection.sock)
        if listener not in {0, os.geteuid(), owner}:
            self._connection.close()
            raise OperatorError(
                f"{path}: the user with the number {listener} listens there, who is neither root, nor you,"
                " nor the owner of the store; make sure that only the server can write to [server] run"
            )
        # The first connection was a proof only; if the server dies now there must be no second one.
        self._connection.auto_open = 0

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Answer:
        """Ask the server; see `Door`.

        Raises:
            OperatorError: There was no answer.
        """
        return whole_answer(self._ask, method, path, body)

    def _ask(self, method: str, path: str, body: dict[str, Any] | None) -> Part:
        data = None if body is None else json.dumps(body).encode("ascii")
        headers = {} if data is None else {"Content-Type": "application/json"}
        try:
            self._connection.request(method, path, data, headers)
            response = self._connection.getresponse()
            content = response.read()
            value = json.loads(content) if content else None
            return response.status, value, response.getheader("Link")
        except (OSError, ValueError, http.client.HTTPException) as error:
            unknown = "" if method == "GET" else "; whether the change was made is not known"
            raise OperatorError(f"the server at {self._path} gave no answer{unknown}") from error

    def close(self) -> None:
        """End the connection."""
        self._connection.close()


def open_door(
    config: Config,
    *,
    pause: Callable[[float], object] = time.sleep,
    now: Callable[[], float] = time.monotonic,
    patience: float = PATIENCE_SECONDS,
    tell: Callable[[str], object] = lambda line: None,
) -> Door:
    """Find the way to administration.

    Args:
        config: The configuration.
        pause: Waits some seconds.
        now: Tells a time in seconds.
        patience: How many seconds to wait for a store that somebody uses without answering.
        tell: Is given a line for the operator as soon as he has to wait.

    Raises:
        OperatorError: The store is in use and nobody answers, or one of the two is not accessible.
    """
    path = config.server.admin_socket
    end = now() + patience
    told = False
    while True:
        try:
            return ServerDoor(path, _owner(config))
        except (FileNotFoundError, ConnectionRefusedError):
            pass  # no server, or one that was killed
        except OSError as error:
            raise OperatorError(f"{path}: {error.strerror or error}") from error
        try:
            return _offline(config)
        except StoreInUse as error:
            if now() >= end:
                raise OperatorError(
                    f"{error}; but nothing answers at {path}: the server may be starting or stopping,"
                    " or another pchatctl at work"
                ) from error
            if not told:
                told = True
                tell(f"waiting, at most {patience:g} seconds: {error.store} is in use by {error.holder}")
        pause(PAUSE_SECONDS)


def open_running(config: Config, seconds: float) -> Door:
    """Find the way to a server that runs, and wait for nothing.

    Args:
        config: The configuration.
        seconds: How long an answer may take.

    Raises:
        OSError: None runs, or it is not accessible.
        OperatorError: Somebody else listens there.
    """
    return ServerDoor(config.server.admin_socket, _owner(config), seconds)


def _owner(config: Config) -> int | None:
    try:
        return config.server.data.stat().st_uid
    except OSError:
        return None  # told when the store is opened


def _offline(config: Config) -> Door:
    # Beside a running server nothing of all this is needed, and a command is twice as fast without it.
    from pchat.admin.offline import OfflineDoor  # noqa: PLC0415

    return OfflineDoor(config)
