"""Administration while no server runs: the same interface, in this process, on the store itself."""

from __future__ import annotations

import os
import secrets
import time
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from pchat import ticks
from pchat.admin.api import AdministrationApi
from pchat.admin.client import Part, whole_answer
from pchat.admin.routes import Answer, Caller
from pchat.admin.socket import actor_of
from pchat.config import Config
from pchat.errors import OurError
from pchat.foundation import assemble_administration, open_store
from pchat.store import outbox
from pchat.store.servers import enter

T = TypeVar("T")


class WallClock(Clock):
    """The time of day, for a process without a reactor; nothing is ever called later."""

    def seconds(self) -> float:
        """Tell the time."""
        return time.time()


def at_once(deferred: Deferred[T]) -> T:
    """Take the result of something that never waits, since the store works in this thread.

    Raises:
        OurError: It does wait.
    """
    outcome: list[Any] = []
    deferred.addBoth(outcome.append)
    if not outcome:
        raise OurError("a store without threads made somebody wait")
    if isinstance(outcome[0], Failure):
        outcome[0].raiseException()
    result: T = outcome[0]
    return result


class OfflineDoor:
    """Administration of a store that no server uses; others are kept away until `close`.

    Args:
        config: The configuration.

    Raises:
        OperatorError: The store is in use, or cannot be opened.
    """

    running = False

    def __init__(self, config: Config) -> None:
        self._config = config
        self._actor = actor_of(os.geteuid())
        clock = WallClock()
        self._clock = clock
        self._store = open_store(config, clock, secrets.token_bytes)
        at_once(self._store.start())
        self._entered = False
        try:
            parts = at_once(
                ensureDeferred(assemble_administration(config, self._store, clock, secrets.token_bytes))
            )
        except BaseException:
            self.close()
            raise
        self._api = AdministrationApi(parts, self._status)

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Answer:
        """Answer one request; see `pchat.admin.client.Door`."""
        if method != "GET":
            self._enter()
        return whole_answer(self._ask, method, path, body)

    def _ask(self, method: str, path: str, body: dict[str, Any] | None) -> Part:
        reply = at_once(self._api.reply(method, path, body, Caller(self._actor)))
        return reply.status, reply.value, reply.headers.get("Link")

    def close(self) -> None:
        """Let go of the store."""
        at_once(self._store.stop())

    def _enter(self) -> None:
        """Close what a server that was killed left open, while the store still tells when it last lived.

        A change is recorded as a sign of life of the server in whose name it is made; afterwards the
        compliance record would have people in rooms that nobody served any more.
        """
        if not self._entered:
            now = ticks.from_unix(self._clock.seconds())
            server = self._config.server
            at_once(self._store.write(enter, server.name, self._store.run_id, now, server.domain))
            self._entered = True

    async def _status(self) -> dict[str, Any]:
        return {
            "store": self._store.describe(),
            "compliance": {
                "enabled": self._config.compliance.enabled,
                "outbox_depth": await self._store.read(outbox.depth),
            },
        }
