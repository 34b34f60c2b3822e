"""Accounts and a room for a benchmark, made in this process while no server runs.

``pchatctl`` would hash a thousand passwords for the web, at 50 ms each; here only what SIP needs is kept.
"""

from __future__ import annotations

import secrets
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from attrs import frozen
from twisted.internet import reactor
from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from pchat.auth.ntlm import nt_hash
from pchat.config import load_config
from pchat.directory.local import LocalDirectory
from pchat.rooms.access import Access
from pchat.rooms.administration import Administration
from pchat.rooms.settings import Settings
from pchat.rooms.tree import NodeTree
from pchat.store.sqlite import SqliteStore

ACTOR = "benchmark"
T = TypeVar("T")


@frozen
class Crowd:
    """Who may talk where.

    Args:
        users: Sign-in names.
        password: Of all of them.
        rooms: URIs of open rooms, history on.
    """

    users: list[str]
    password: str
    rooms: list[str]

    @property
    def room(self) -> str:
        """The first room."""
        return self.rooms[0]


def make_crowd(config_path: Path, count: int, rooms: int = 1) -> Crowd:
    """Make accounts and open rooms in the store of a server that does not run."""
    config = load_config(config_path)
    store = SqliteStore(
        config.database,
        clock=reactor,
        server_name=config.server.name,
        random=secrets.token_bytes,
        inline=True,
        domain=config.server.domain,
    )
    now(store.start())
    try:
        return now(Deferred.fromCoroutine(_fill(store, config.server.domain, count, rooms)))
    finally:
        now(store.stop())


def now(deferred: Deferred[T]) -> T:
    """Return what a Deferred has fired with; an inline store makes nobody wait."""
    outcome: list[Any] = []
    deferred.addBoth(outcome.append)
    [result] = outcome
    if isinstance(result, Failure):
        result.raiseException()
    value: T = result
    return value


def _fill(store: SqliteStore, domain: str, count: int, rooms: int) -> Coroutine[Any, Any, Crowd]:
    directory, tree = LocalDirectory(domain), NodeTree(domain)
    administration = Administration(
        store=store,
        directory=directory,
        tree=tree,
        access=Access(directory),
        settings=Settings(),
        clock=reactor,
        random=secrets.token_bytes,
        run_in_thread=lambda _verifiers, _uri, password: succeed({("ntlm", ""): nt_hash(password)}),
    )
    return _add_all(administration, domain, count, rooms)


async def _add_all(administration: Administration, domain: str, count: int, rooms: int) -> Crowd:
    await administration.load()
    password = secrets.token_hex(8)
    users = [f"user{number:04d}@{domain}" for number in range(count)]
    for user in users:
        await administration.people.add_user(ACTOR, f"sip:{user}", password=password)
    await administration.people.set_policy(ACTOR, True)
    await administration.categories.add_category(ACTOR, "Benchmark", allowed=[domain])
    made = [
        await administration.rooms.add_room(ACTOR, f"Crowd {number}", category="Benchmark", privacy="open")
        for number in range(rooms)
    ]
    return Crowd(users, password, [str(room["uri"]) for room in made])
