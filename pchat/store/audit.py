"""The audit log: who changed what, with what was before and after, in the transaction of the change."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen

from pchat.interfaces import ITransaction, SqlValue
from pchat.store.changes import Stamp

#: Kinds of things that changes are made to.
KINDS = (
    *("user", "group", "policy", "category", "room", "role", "addin"),
    *("messages", "setting", "token", "store"),
)

#: Bytes of what was before and after that one answer has.
FOUND_BYTES = 4 << 20
#: Entries whose sizes are told by one statement.
_SIZES_AT_ONCE = 100
_SIZE = "coalesce(octet_length(before), 0) + coalesce(octet_length(after), 0)"
#: More than any number of an entry.
_NEWEST = (1 << 63) - 1


@frozen
class AuditEntry:
    """One change as the audit log is told of it.

    Args:
        action: What was done: ``add``, ``change``, ``remove``, ….
        kind: To what kind of thing, one of `KINDS`.
        object: Its URI, or its name if it has none.
        before: What the changed attributes were, None where nothing was.
        after: What they are now, None where nothing is; never a secret.
    """

    action: str
    kind: str
    object: str
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None


async def write_audit(txn: ITransaction, stamp: Stamp, entry: AuditEntry) -> None:
    """Write one entry; its numbers are the order of the changes.

    Args:
        txn: The transaction of the change.
        stamp: Who changes, and when.
        entry: What.
    """
    await txn.run(
        "insert into audit (time_ticks, actor, action, kind, object, before, after)"
        " values (%s, %s, %s, %s, %s, %s, %s)",
        (
            *(stamp.now, stamp.actor, entry.action, entry.kind, entry.object),
            *(_json(entry.before), _json(entry.after)),
        ),
    )


def _json(value: Mapping[str, Any] | None) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False, sort_keys=True)


@frozen
class AuditQuery:
    """Which entries are wanted; what is None or empty lets all pass.

    Args:
        actor, kind, action: As they were written.
        objects: What was changed: any of these, as they were written.
        begin, end: Ticks, both included.
    """

    actor: str | None = None
    objects: tuple[str, ...] = ()
    kind: str | None = None
    action: str | None = None
    begin: int | None = None
    end: int | None = None


@frozen
class AuditRecord:
    """One row of the audit log."""

    time_ticks: int
    actor: str
    action: str
    kind: str
    object: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


async def find_audit(
    txn: ITransaction, query: AuditQuery, limit: int, offset: int
) -> tuple[list[AuditRecord], bool]:
    """Find entries, the newest first.

    Args:
        txn: A transaction that may only read.
        query: Which.
        limit: As many at most.
        offset: Entries to pass over.

    Returns:
        The entries, and whether there are more. They end earlier where they would have more than
        `FOUND_BYTES` of what was before and after; one is given whatever it has.
    """
    where, args = _conditions(query)
    numbers: list[int] = []
    content_bytes, more, after = 0, True, _NEWEST
    while more and len(numbers) < limit:
        wanted = min(_SIZES_AT_ONCE, limit - len(numbers))
        sizes = await txn.query(
            f"select entry_id, {_SIZE} from audit where {where} and entry_id < %s"  # noqa: S608 – conditions
            " order by entry_id desc limit %s offset %s",
            (*args, after, wanted + 1, offset if after == _NEWEST else 0),
        )
        more = len(sizes) > wanted
        for number, size in sizes[:wanted]:
            content_bytes += size
            if numbers and content_bytes > FOUND_BYTES:
                return await _entries(txn, where, args, numbers), True
            numbers.append(number)
            after = number
    return await _entries(txn, where, args, numbers), more


async def _entries(
    txn: ITransaction, where: str, args: Sequence[SqlValue], numbers: Sequence[int]
) -> list[AuditRecord]:
    """Read entries whose numbers, from high to low, are all of a kind that there are between two of them."""
    if not numbers:
        return []
    rows = await txn.query(
        "select time_ticks, actor, action, kind, object, before, after from audit"  # noqa: S608 – conditions
        f" where {where} and entry_id between %s and %s order by entry_id desc",
        (*args, numbers[-1], numbers[0]),
    )
    return [AuditRecord(*row[:5], *map(_value, row[5:])) for row in rows]


def _conditions(query: AuditQuery) -> tuple[str, list[SqlValue]]:
    conditions = (
        *(("actor = %s", query.actor), ("kind = %s", query.kind), ("action = %s", query.action)),
        *(("time_ticks >= %s", query.begin), ("time_ticks <= %s", query.end)),
    )
    given = [(condition, value) for condition, value in conditions if value is not None]
    wanted = [condition for condition, _ in given]
    if query.objects:
        wanted.append(f"object in ({', '.join(['%s'] * len(query.objects))})")
    return " and ".join(wanted) or "1 = 1", [*(value for _, value in given), *query.objects]


def _value(text: str | None) -> dict[str, Any] | None:
    value: dict[str, Any] | None = None if text is None else json.loads(text)
    return value
