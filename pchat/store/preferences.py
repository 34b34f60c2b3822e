"""Preferences: labelled contents that clients keep on the server, each with a version that grows.

Source: docs/spec/persistent-chat-server.md 4.11; docs/spec/xccos.md section 3.11.
"""

from __future__ import annotations

from typing import NamedTuple

from pchat.interfaces import ITransaction

#: The largest version; clients are likely to keep it in 32 bits.
LAST_VERSION = 2**31 - 1


class Preference(NamedTuple):
    """What is kept under a label of a user: base64, empty for nothing."""

    version: int
    content: str


async def preference(txn: ITransaction, principal_id: int, label: str) -> Preference | None:
    """Read a preference of a user, or None if there is none."""
    rows = await txn.query(
        "select version, content from preferences where principal_id = %s and label = %s",
        (principal_id, label),
    )
    return Preference(*rows[0]) if rows else None


async def set_preference(
    txn: ITransaction, principal_id: int, label: str, known: int, content: str, labels: int, now: int
) -> int | None:
    """Store a preference in place of what was there, whatever version the client knows: the last one counts.

    Args:
        txn: The transaction.
        principal_id: The user.
        label: The label.
        known: The version that the client knows. The new one is higher than it too: the client may have it
            from another server, and would not ask for anything lower.
        content: Base64.
        labels: The most labels that a user may have.
        now: The time, in ticks.

    Returns:
        The new version; None, and nothing is stored, when he has as many labels already, or there is no
        higher version.
    """
    old = await preference(txn, principal_id, label)
    if old is None:
        [(there,)] = await txn.query(
            "select count(*) from preferences where principal_id = %s", (principal_id,)
        )
        if there >= labels:
            return None
    version = max(known, old.version if old else 0) + 1
    if version > LAST_VERSION:
        return None
    await txn.run(
        "insert into preferences (principal_id, label, version, content, updated_on)"
        " values (%s, %s, %s, %s, %s) on conflict (principal_id, label) do update"
        " set version = excluded.version, content = excluded.content, updated_on = excluded.updated_on",
        (principal_id, label, version, content, now),
    )
    return version


async def ensure_preference(
    txn: ITransaction, principal_id: int, label: str, known: int, labels: int, now: int
) -> Preference | None:
    """Read a preference; if there is none, make an empty one.

    Args:
        txn, principal_id, label, known, labels, now: As for `set_preference`.

    Returns:
        What there is now; None when it would have to be made and cannot, as with `set_preference`.
    """
    there = await preference(txn, principal_id, label)
    if there is not None:
        return there
    version = await set_preference(txn, principal_id, label, known, "", labels, now)
    return None if version is None else Preference(version, "")
