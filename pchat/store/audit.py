"""The audit log: who changed what, with what was before and after, in the transaction of the change."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from pchat.interfaces import ITransaction
from pchat.store.changes import Stamp


@frozen
class AuditEntry:
    """One change as the audit log is told of it.

    Args:
        action: What was done: ``add``, ``change``, ``remove``, ….
        kind: To what kind of thing: ``room``, ``user``, ``policy``, ….
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
