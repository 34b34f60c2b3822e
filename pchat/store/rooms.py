"""SQL of categories, rooms, their lists, and of the revision that every change of them makes grow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from attrs import frozen

from pchat.interfaces import ITransaction, Row
from pchat.store.changes import Stamp

_CATEGORY_COLUMNS = (
    "category_id, guid, name, description, invitations, file_upload, logged,"
    " created_by, created_on, updated_by, updated_on, purged_on"
)
_ROOM_COLUMNS = (
    "room_id, guid, category_id, name, description, privacy, behavior, invitations, addin_guid, disabled,"
    " last_chat_id, created_by, created_on, updated_by, updated_on, purged_on"
)

#: All that is kept of a room; the room itself goes last.
_TABLES_OF_A_ROOM = (
    *("messages", "participants", "room_roles", "invitations", "read_markers", "followed_rooms"),
    *("topic_hits", "rooms"),
)
#: Grows with every change, whatever the clock says, so that who read a room before it is found out.
LATER = "updated_on = case when updated_on < %s then %s else updated_on + 1 end"


@frozen
class CategoryRecord:
    """A category with its lists; times in ticks, ``purged_on`` 0 for never."""

    category_id: int
    guid: str
    name: str
    description: str
    invitations: bool
    file_upload: bool
    logged: bool
    created_by: str
    created_on: int
    updated_by: str
    updated_on: int
    purged_on: int
    allowed: frozenset[int]
    denied: frozenset[int]
    creators: frozenset[int]


@frozen
class RoomRecord:
    """A room with its role lists; ``invitations`` None inherits from the category; times as above."""

    room_id: int
    guid: str
    category_id: int
    name: str
    description: str
    privacy: int
    behavior: int
    invitations: bool | None
    addin_guid: str | None
    disabled: bool
    last_chat_id: int
    created_by: str
    created_on: int
    updated_by: str
    updated_on: int
    purged_on: int
    members: frozenset[int]
    managers: frozenset[int]
    presenters: frozenset[int]


@frozen
class NodeChange:
    """What the store holds after a change: the whole of it after a load, else what was touched."""

    revision: int
    categories: tuple[CategoryRecord, ...] = ()
    rooms: tuple[RoomRecord, ...] = ()
    removed_categories: tuple[int, ...] = ()
    removed_rooms: tuple[int, ...] = ()


@frozen
class CategoryFields:
    """What of a category is set as one: its attributes without its lists."""

    name: str
    name_folded: str
    description: str
    invitations: bool
    file_upload: bool
    logged: bool


@frozen
class RoomFields:
    """What of a room is set as one: its attributes without its role lists."""

    category_id: int
    name: str
    name_folded: str
    description: str
    privacy: int
    behavior: int
    invitations: bool | None
    addin_guid: str | None
    disabled: bool


async def load_nodes(txn: ITransaction) -> NodeChange:
    """Read the whole node tree with its revision, in one transaction."""
    rows = await txn.query("select number from revision")
    # Here and below the column lists are constants of this module, never input.
    categories = await txn.query(f"select {_CATEGORY_COLUMNS} from categories order by category_id")  # noqa: S608
    scopes = await txn.query("select category_id, list, principal_id from category_principals")
    rooms = await txn.query(f"select {_ROOM_COLUMNS} from rooms order by room_id")  # noqa: S608
    roles = await txn.query("select room_id, role, principal_id from room_roles")
    return NodeChange(
        revision=rows[0][0],
        categories=tuple(_categories(categories, scopes)),
        rooms=tuple(_rooms(rooms, roles)),
    )


async def read_nodes(
    txn: ITransaction, revision: int, categories: Iterable[int] = (), rooms: Iterable[int] = ()
) -> NodeChange:
    """Read back what a change touched, in the change's own transaction; what is gone is reported removed."""
    category_records: list[CategoryRecord] = []
    for number in sorted(set(categories)):
        category_records.extend(await _one_category(txn, number))
    room_records: list[RoomRecord] = []
    for number in sorted(set(rooms)):
        room_records.extend(await _one_room(txn, number))
    return NodeChange(
        revision=revision,
        categories=tuple(category_records),
        rooms=tuple(room_records),
        removed_categories=tuple(
            sorted(set(categories) - {record.category_id for record in category_records})
        ),
        removed_rooms=tuple(sorted(set(rooms) - {record.room_id for record in room_records})),
    )


async def _one_category(txn: ITransaction, number: int) -> Iterable[CategoryRecord]:
    # The column list is a constant of this module.
    sql = f"select {_CATEGORY_COLUMNS} from categories where category_id = %s"  # noqa: S608
    nodes = await txn.query(sql, (number,))
    lists = await txn.query(
        "select category_id, list, principal_id from category_principals where category_id = %s", (number,)
    )
    return _categories(nodes, lists)


async def _one_room(txn: ITransaction, number: int) -> Iterable[RoomRecord]:
    # The column list is a constant of this module.
    sql = f"select {_ROOM_COLUMNS} from rooms where room_id = %s"  # noqa: S608
    nodes = await txn.query(sql, (number,))
    lists = await txn.query(
        "select room_id, role, principal_id from room_roles where room_id = %s", (number,)
    )
    return _rooms(nodes, lists)


def _lists(rows: Sequence[Row]) -> dict[tuple[int, str], set[int]]:
    lists: dict[tuple[int, str], set[int]] = {}
    for node, name, principal in rows:
        lists.setdefault((node, name), set()).add(principal)
    return lists


def _categories(rows: Sequence[Row], scopes: Sequence[Row]) -> Iterable[CategoryRecord]:
    lists = _lists(scopes)
    for row in rows:
        number = row[0]
        switches = [bool(value) for value in row[4:7]]
        granted = [frozenset(lists.get((number, name), ())) for name in ("allow", "deny", "create")]
        yield CategoryRecord(*row[:4], *switches, *row[7:], *granted)


def _rooms(rows: Sequence[Row], roles: Sequence[Row]) -> Iterable[RoomRecord]:
    lists = _lists(roles)
    for row in rows:
        number, invitations, addin, disabled = row[0], row[7], row[8], row[9]
        inherited = None if invitations is None else bool(invitations)
        granted = [frozenset(lists.get((number, role), ())) for role in ("member", "manager", "presenter")]
        values: Row = (*row[:7], inherited, addin, bool(disabled), *row[10:], *granted)
        yield RoomRecord(*values)


async def insert_category(txn: ITransaction, guid: str, fields: CategoryFields, stamp: Stamp) -> int:
    """Store a new category without lists and return its number."""
    rows = await txn.query(
        "insert into categories (guid, name, name_folded, description, invitations, file_upload, logged,"
        " created_by, created_on, updated_by, updated_on)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) returning category_id",
        (guid, *_category_values(fields), *_twice(stamp)),
    )
    number: int = rows[0][0]
    return number


async def update_category(txn: ITransaction, category_id: int, fields: CategoryFields, stamp: Stamp) -> None:
    """Replace the attributes of a category."""
    await txn.run(
        "update categories set name = %s, name_folded = %s, description = %s, invitations = %s,"
        " file_upload = %s, logged = %s, updated_by = %s, updated_on = %s where category_id = %s",
        (*_category_values(fields), stamp.actor, stamp.now, category_id),
    )


def _category_values(fields: CategoryFields) -> tuple[str, str, str, int, int, int]:
    switches = (int(fields.invitations), int(fields.file_upload), int(fields.logged))
    return (fields.name, fields.name_folded, fields.description, *switches)


def _twice(stamp: Stamp) -> tuple[str, int, str, int]:
    # What is new was last changed when it was created.
    return (stamp.actor, stamp.now, stamp.actor, stamp.now)


async def delete_category(txn: ITransaction, category_id: int) -> None:
    """Delete a category that has no rooms, with its lists."""
    await txn.run("delete from category_principals where category_id = %s", (category_id,))
    await txn.run("delete from categories where category_id = %s", (category_id,))


async def change_scope(
    txn: ITransaction,
    category_id: int,
    added: Sequence[tuple[str, int]],
    removed: Sequence[tuple[str, int]],
    stamp: Stamp,
    *,
    purged: bool = False,
) -> None:
    """Add to and take from the lists of a category, and stamp the category as changed.

    Args:
        txn: The transaction.
        category_id: The category.
        added: Pairs of list (``allow``, ``deny``, ``create``) and principal.
        removed: The same.
        stamp: Who grants, and when.
        purged: Whether a narrower scope takes roles away with it.
    """
    await txn.run_many(
        "delete from category_principals where category_id = %s and list = %s and principal_id = %s",
        [(category_id, name, principal) for name, principal in removed],
    )
    await txn.run_many(
        "insert into category_principals (category_id, list, principal_id, granted_by, granted_on)"
        " values (%s, %s, %s, %s, %s)",
        [(category_id, name, principal, stamp.actor, stamp.now) for name, principal in added],
    )
    await txn.run(
        "update categories set updated_by = %s, updated_on = %s, purged_on = case when %s = 1 then %s"
        " else purged_on end where category_id = %s",
        (stamp.actor, stamp.now, int(purged), stamp.now, category_id),
    )


async def insert_room(txn: ITransaction, guid: str, fields: RoomFields, stamp: Stamp) -> int:
    """Store a new room with empty role lists and return its number."""
    rows = await txn.query(
        "insert into rooms (guid, category_id, name, name_folded, description, privacy, behavior,"
        " invitations, addin_guid, disabled, created_by, created_on, updated_by, updated_on)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) returning room_id",
        (guid, *_room_values(fields), *_twice(stamp)),
    )
    number: int = rows[0][0]
    return number


async def update_room(txn: ITransaction, room_id: int, fields: RoomFields, stamp: Stamp) -> None:
    """Replace the attributes of a room."""
    await txn.run(
        "update rooms set category_id = %s, name = %s, name_folded = %s, description = %s, privacy = %s,"  # noqa: S608
        " behavior = %s, invitations = %s, addin_guid = %s, disabled = %s, updated_by = %s,"
        f" {LATER} where room_id = %s",
        (*_room_values(fields), stamp.actor, stamp.now, stamp.now, room_id),
    )


def _room_values(fields: RoomFields) -> tuple[int | str | None, ...]:
    return (
        *(fields.category_id, fields.name, fields.name_folded, fields.description),
        *(int(fields.privacy), int(fields.behavior)),
        None if fields.invitations is None else int(fields.invitations),
        *(fields.addin_guid, int(fields.disabled)),
    )


async def delete_room(txn: ITransaction, room_id: int) -> None:
    """Delete a room for good, with its messages and all that names it (F-15)."""
    for table in _TABLES_OF_A_ROOM:
        # The table names are constants of this module, never input.
        await txn.run(f"delete from {table} where room_id = %s", (room_id,))  # noqa: S608


async def change_roles(
    txn: ITransaction,
    room_id: int,
    added: Sequence[tuple[str, int]],
    removed: Sequence[tuple[str, int]],
    stamp: Stamp,
    *,
    purged: bool = False,
) -> None:
    """Add to and take from the role lists of a room, and stamp the room as changed.

    Args:
        txn: The transaction.
        room_id: The room.
        added: Pairs of role (``member``, ``manager``, ``presenter``) and principal.
        removed: The same.
        stamp: Who grants, and when.
        purged: Whether some of ``removed`` go because the room or its scope became narrower.
    """
    await txn.run_many(
        "delete from room_roles where room_id = %s and role = %s and principal_id = %s",
        [(room_id, role, principal) for role, principal in removed],
    )
    await txn.run_many(
        "insert into room_roles (room_id, role, principal_id, granted_by, granted_on)"
        " values (%s, %s, %s, %s, %s)",
        [(room_id, role, principal, stamp.actor, stamp.now) for role, principal in added],
    )
    await txn.run(
        f"update rooms set updated_by = %s, {LATER}, purged_on = case when %s = 1 then %s else purged_on end"  # noqa: S608
        " where room_id = %s",
        (stamp.actor, stamp.now, stamp.now, int(purged), stamp.now, room_id),
    )


async def load_settings(txn: ITransaction) -> dict[str, str]:
    """Read the settings that were changed from their defaults."""
    return dict(await txn.query("select name, value from settings"))


async def forget_setting(txn: ITransaction, name: str) -> None:
    """Give a setting its default again."""
    await txn.run("delete from settings where name = %s", (name,))


async def store_setting(txn: ITransaction, name: str, value: str) -> None:
    """Store one setting."""
    await txn.run(
        "insert into settings (name, value) values (%s, %s)"
        " on conflict (name) do update set value = excluded.value",
        (name, value),
    )
