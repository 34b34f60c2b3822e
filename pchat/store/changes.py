"""The revision that grows with every change of rooms, rights and people, and the row that tells of it."""

from __future__ import annotations

from attrs import frozen

from pchat.interfaces import ITransaction


@frozen
class Stamp:
    """Who changes something, and when (ticks)."""

    actor: str
    now: int


@frozen
class ChangeKey:
    """What a change is about.

    Args:
        revision: The revision that the change was decided at.
        kind: ``user``, ``group``, ``policy``, ``category``, ``room``, ``role``, ``setting`` and the like.
        object_id: Number of what is changed, None when it is new or has none.
    """

    revision: int
    kind: str
    object_id: int | None = None


async def advance_revision(txn: ITransaction, change: ChangeKey, stamp: Stamp) -> int | None:
    """Begin a change: the revision grows by one and its row says who changed what.

    Done first in every change, so that changes queue up behind each other on every engine.

    Returns:
        The new revision; None, and nothing is changed, when somebody else was faster.
    """
    touched = await txn.run(
        "update revision set number = number + 1 where only_row = 1 and number = %s", (change.revision,)
    )
    if not touched:
        return None
    await txn.run(
        "insert into changes (revision, kind, object_id, changed_by, changed_on) values (%s, %s, %s, %s, %s)",
        (change.revision + 1, change.kind, change.object_id, stamp.actor, stamp.now),
    )
    return change.revision + 1
