"""What the tests of the store share."""

from __future__ import annotations

import os
import shutil
import tempfile
from itertools import count
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from pchat.interfaces import ITransaction
from pchat.store.messages import NewMessage

_numbers = count(1)


def temporary_path(case: SynchronousTestCase) -> str:
    """Name a file that is not there, in a folder that goes when the test ends, whoever runs it."""
    folder = tempfile.mkdtemp(prefix="pchat-store-")
    case.addCleanup(shutil.rmtree, folder, ignore_errors=True)
    return os.path.join(folder, "chat.db")


def new_message(room_id: int = 1, chat: str = "hello", **changed: Any) -> NewMessage:
    """Make a post with an id of its own, decided at revision 0 in a room with history."""
    message = NewMessage(
        message_id=f"{next(_numbers):032x}",
        room_id=room_id,
        room_uri=f"ma-chan://example.com/room-{room_id}",
        room_name=f"Room {room_id}",
        author_id=1,
        author_uri="sip:alice@example.com",
        author_name="Alice",
        chat=chat,
        rtf=None,
        alert=False,
        logged=True,
        revision=0,
    )
    return message._replace(**changed)


async def make_rooms(txn: ITransaction, *room_ids: int) -> None:
    """Put a category, the user alice and rooms into an empty store."""
    await txn.run(
        "insert into categories (category_id, guid, name, name_folded, created_by, created_on, updated_by, "
        "updated_on) values (1, 'c', 'C', 'c', 'test', 0, 'test', 0)"
    )
    await txn.run(
        "insert into principals (principal_id, guid, uri, uri_folded, kind, name, display_name, created_by, "
        "created_on, updated_by, updated_on) "
        "values (1, 'p', 'sip:alice@example.com', 'sip:alice@example.com', "
        "5, 'alice', 'Alice', 'test', 0, 'test', 0)"
    )
    for room_id in room_ids:
        await make_room(txn, room_id)


async def make_room(txn: ITransaction, room_id: int) -> None:
    """Put one more room into the category."""
    await txn.run(
        "insert into rooms (room_id, guid, category_id, name, name_folded, created_by, created_on, "
        "updated_by, updated_on) values (%s, %s, 1, %s, %s, 'test', 0, 'test', 0)",
        (room_id, f"room-{room_id}", f"Room {room_id}", f"room {room_id}"),
    )


async def add_user(txn: ITransaction, name: str) -> None:
    """Add a user; a name twice breaks a rule of the schema."""
    await txn.run(
        "insert into principals (guid, uri, uri_folded, kind, name, created_by, created_on, updated_by, "
        "updated_on) values (%s, %s, %s, 5, %s, 'test', 0, 'test', 0)",
        (name, name, name, name),
    )


async def users(txn: ITransaction) -> list[str]:
    """Names of all users that `add_user` added."""
    return [row[0] for row in await txn.query("select name from principals where guid <> 'p' order by name")]


async def raise_revision(txn: ITransaction) -> int:
    """Do what every change of a right does."""
    rows = await txn.query("update revision set number = number + 1 returning number")
    return int(rows[0][0])


async def outbox_rows(txn: ITransaction) -> list[tuple[Any, ...]]:
    """All events in order: sequence, id, kind, time, room, chat id, text."""
    return await txn.query(
        "select server_sequence, event_id, kind, time_ticks, room_id, chat_id, text from outbox "
        "order by server_id, server_sequence"
    )
