"""SQL of add-ins: web pages that a room may have one of."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

from pchat.interfaces import ITransaction
from pchat.store.changes import Stamp
from pchat.store.rooms import LATER

_COLUMNS = "addin_id, guid, name, url, created_by, created_on, updated_by, updated_on"


@frozen
class AddinRecord:
    """An add-in; times in ticks.

    Source: docs/spec/persistent-chat-server.md section 2.6 (tblSiopWhiteList).
    """

    addin_id: int
    guid: str
    name: str
    url: str
    created_by: str
    created_on: int
    updated_by: str
    updated_on: int


@frozen
class AddinFields:
    """What of an add-in is set as one."""

    name: str
    name_folded: str
    url: str


async def load_addins(txn: ITransaction) -> tuple[AddinRecord, ...]:
    """Read all add-ins, in the order in which they were registered."""
    # Here and below the column list is a constant of this module, never input.
    rows = await txn.query(f"select {_COLUMNS} from addins order by addin_id")  # noqa: S608
    return tuple(AddinRecord(*row) for row in rows)


async def read_addins(txn: ITransaction, numbers: Iterable[int]) -> dict[int, AddinRecord | None]:
    """Read back what a change touched; None stands for what is gone."""
    found: dict[int, AddinRecord | None] = {}
    for number in sorted(set(numbers)):
        rows = await txn.query(
            f"select {_COLUMNS} from addins where addin_id = %s",  # noqa: S608
            (number,),
        )
        found[number] = AddinRecord(*rows[0]) if rows else None
    return found


async def insert_addin(txn: ITransaction, guid: str, fields: AddinFields, stamp: Stamp) -> int:
    """Store a new add-in and return its number."""
    rows = await txn.query(
        "insert into addins (guid, name, name_folded, url, created_by, created_on, updated_by, updated_on)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s) returning addin_id",
        (
            *(guid, fields.name, fields.name_folded, fields.url),
            *(stamp.actor, stamp.now, stamp.actor, stamp.now),
        ),
    )
    number: int = rows[0][0]
    return number


async def update_addin(txn: ITransaction, addin_id: int, fields: AddinFields, stamp: Stamp) -> None:
    """Replace name and address of an add-in."""
    await txn.run(
        "update addins set name = %s, name_folded = %s, url = %s, updated_by = %s, updated_on = %s"
        " where addin_id = %s",
        (fields.name, fields.name_folded, fields.url, stamp.actor, stamp.now, addin_id),
    )


async def delete_addin(txn: ITransaction, addin_id: int, guid: str, stamp: Stamp) -> None:
    """Delete an add-in, and take it from the rooms that have it."""
    await txn.run(
        f"update rooms set addin_guid = null, updated_by = %s, {LATER} where addin_guid = %s",  # noqa: S608
        (stamp.actor, stamp.now, stamp.now, guid),
    )
    await txn.run("delete from addins where addin_id = %s", (addin_id,))
