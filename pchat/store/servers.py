"""The servers of the pool, and the runs of each."""

from __future__ import annotations

from attrs import frozen

from pchat.interfaces import ITransaction
from pchat.store.participants import Participation, close_dead_runs


@frozen
class ServerRow:
    """A server as its new run finds it.

    Args:
        server_id: Its number.
        name: Its name.
        run_id: The run that begins.
        started_at: When it begins, in ticks.
        previous_run_id: The run before, empty if there was none.
        previous_alive: The last moment the run before is known to have lived, in ticks.
        parted: Users whom the run before left in rooms when it died; their part events are recorded.
    """

    server_id: int
    name: str
    run_id: str
    started_at: int
    previous_run_id: str
    previous_alive: int
    parted: tuple[Participation, ...]


async def enter(txn: ITransaction, name: str, run_id: str, now: int, domain: str) -> ServerRow:
    """Begin a run of a server, and close what a run that died has left open.

    Both in one transaction: afterwards nobody could tell any more when the dead run was last alive.

    Args:
        txn: The transaction.
        name: Name of the server.
        run_id: Name of the run, random.
        now: The time in ticks.
        domain: Domain of room URIs.
    """
    await txn.run(
        "insert into servers (name, run_id, started_at, last_alive) values (%s, '', %s, %s) "
        "on conflict (name) do nothing",
        (name, now, now),
    )
    server_id, previous, alive_at = (
        await txn.query("select server_id, run_id, last_alive from servers where name = %s", (name,))
    )[0]
    parted = await close_dead_runs(txn, server_id, run_id, alive_at, domain)
    await txn.run(
        "update servers set run_id = %s, started_at = %s, last_alive = %s where server_id = %s",
        (run_id, now, now, server_id),
    )
    return ServerRow(server_id, name, run_id, now, previous, alive_at, tuple(parted))


async def alive(txn: ITransaction, server_id: int, now: int) -> None:
    """Note that the server lives; appended messages and recorded events note it as well.

    Args:
        txn: The transaction.
        server_id: The server.
        now: The time in ticks.
    """
    await txn.run(
        "update servers set last_alive = %s where server_id = %s and last_alive < %s", (now, server_id, now)
    )
