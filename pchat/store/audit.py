"""The audit log: who changed what, with what was before and after, in the transaction of the change."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from pchat.interfaces import ITransaction
from pchat.store.changes import Stamp

#: Kinds of things that changes are made to.
KINDS = (
    *("user", "group", "policy", "category", "room", "role", "addin"),
    *("messages", "setting", "token", "store"),
)


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
        The entries, and whether there are more.
    """
    conditions = (
        *(("actor = %s", query.actor), ("kind = %s", query.kind), ("action = %s", query.action)),
        *(("time_ticks >= %s", query.begin), ("time_ticks <= %s", query.end)),
    )
    given = [(condition, value) for condition, value in conditions if value is not None]
    wanted = [condition for condition, _ in given]
    if query.objects:
        wanted.append(f"object in ({', '.join(['%s'] * len(query.objects))})")
    where = " and ".join(wanted) or "1 = 1"
    rows = await txn.query(
        "select time_ticks, actor, action, kind, object, before, after from audit"  # noqa: S608 – conditions
        f" where {where} order by entry_id desc limit %s offset %s",
        (*(value for _, value in given), *query.objects, limit + 1, offset),
    )
    found = [AuditRecord(*row[:5], *map(_value, row[5:])) for row in rows[:limit]]
    return found, len(rows) > limit


def _value(text: str | None) -> dict[str, Any] | None:
    value: dict[str, Any] | None = None if text is None else json.loads(text)
    return value
