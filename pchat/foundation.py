"""What a server stands on, and `pchatctl` too when no server runs: the store, and administration over it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime

from pchat.config import Config
from pchat.directory.local import LocalDirectory
from pchat.errors import ConfigError
from pchat.interfaces import IStore, Random
from pchat.rooms.access import Access
from pchat.rooms.administration import Administration
from pchat.rooms.settings import Settings
from pchat.rooms.slices import Pause, no_pause
from pchat.rooms.tree import NodeTree
from pchat.store.sqlite import IThreads, SqliteStore


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
    pause: Pause = no_pause,
) -> AdministrationParts:
    """Construct administration over a started store and read everything into memory.

    Args:
        config: The configuration.
        store: A started `pchat.interfaces.IStore`.
        clock: Server time.
        random: Unpredictable bytes.
        run_in_thread: For hashing passwords; by default it is done at once.
        pause: Lets others have their turn while very many are gone through; by default nobody waits.
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
        pause=pause,
    )
    await administration.load()
    return AdministrationParts(store, directory, tree, settings, access, administration)
